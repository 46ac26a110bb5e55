// Provisioning with a TPM 2.0: only it can open the challenge, and the hub's key never leaves it.
'use strict';

const assert = require('node:assert');
const { promisify } = require('node:util');
const { Message } = require('azure-iot-device');
const { test } = require('./harness');
const { enrol, http, register, service } = require('./provisioning');
const { registry, telemetry, tokenClient } = require('./sandbox');
const { newTpm } = require('./tpm');

async function endorsementKey(tpm) {
    return (await promisify(tpm.getEndorsementKey.bind(tpm))()).toString('base64');
}

async function enrolTpm(t, registrationId, tpm) {
    return enrol(t, { registrationId, attestation: { type: 'tpm', tpm: { endorsementKey: await endorsementKey(tpm) } } });
}

// The SDK gives the state alone for other proofs, and the whole answer for this one.
async function registerTpm(tpm) {
    return (await register(http, tpm)).registrationState;
}

// A token like any other, but that the TPM signs with the key that it was given.
async function signedToken(tpm, resource) {
    const sr = encodeURIComponent(resource);
    const se = Math.floor(Date.now() / 1000) + 3600;
    const signature = await promisify(tpm.signWithIdentity.bind(tpm))(Buffer.from(`${sr}\n${se}`));
    return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature.toString('base64'))}&se=${se}`;
}

test('a TPM that is enrolled gives a device that is heard', async (t) => {
    const tpm = await newTpm(t, 'tpm-one');
    await enrolTpm(t, 'tpm-one', tpm);
    const state = await registerTpm(tpm);
    assert.strictEqual(state.status, 'assigned');
    assert.strictEqual(state.deviceId, 'tpm-one');

    const client = tokenClient(t, state.deviceId, await signedToken(tpm, `${state.assignedHub}/devices/${state.deviceId}`));
    await client.open();
    await client.sendEvent(new Message('signed in the TPM'));
    await telemetry('tpm-one');
});

test('a TPM registers again', async (t) => {
    const tpm = await newTpm(t, 'tpm-again');
    await enrolTpm(t, 'tpm-again', tpm);
    await registerTpm(tpm);
    assert.strictEqual((await registerTpm(tpm)).status, 'assigned');
});

test('the registration id may be made of the endorsement key', async (t) => {
    const tpm = await newTpm(t);
    const name = await promisify(tpm.getRegistrationId.bind(tpm))();
    await enrolTpm(t, name, tpm);
    assert.strictEqual((await registerTpm(tpm)).deviceId, name);
});

test('another TPM is refused', async (t) => {
    const enrolled = await newTpm(t, 'tpm-other');
    await enrolTpm(t, 'tpm-other', enrolled);
    await assert.rejects(registerTpm(await newTpm(t, 'tpm-other')));
    await assert.rejects(registry.get('tpm-other'), { name: 'DeviceNotFoundError' });
});

test('a TPM that is not enrolled is refused', async (t) => {
    await assert.rejects(registerTpm(await newTpm(t, 'tpm-nobody')));
});

test('a disabled enrolment of a TPM gives nothing', async (t) => {
    const tpm = await newTpm(t, 'tpm-disabled');
    const made = await enrolTpm(t, 'tpm-disabled', tpm);
    await service.createOrUpdateIndividualEnrollment({ ...made, provisioningStatus: 'disabled' });
    await assert.rejects(registerTpm(tpm));
});

test('the enrolment shows the endorsement key', async (t) => {
    const tpm = await newTpm(t, 'tpm-shown');
    await enrolTpm(t, 'tpm-shown', tpm);
    const { responseBody } = await service.getIndividualEnrollmentAttestationMechanism('tpm-shown');
    assert.strictEqual(responseBody.tpm.endorsementKey, await endorsementKey(tpm));
});
