// One sandbox, two hubs: who belongs where, and how the provisioning service places and moves devices.
'use strict';

const assert = require('node:assert');
const { Registry } = require('azure-iothub');
const { test } = require('./harness');
const { derivedKey, enrol, enrolGroup, http, isHeard, keyPair, newKey, registerKey, service } = require('./provisioning');
const { deviceClient, fields, host, record, registry, restartHub } = require('./sandbox');

const OTHER = 'second.berth.internal';
const ready = restartHub('SIGTERM', ['--hub-name', OTHER]);

// The registry of the other hub, with the same key.
function otherRegistry() {
    const { SharedAccessKeyName: policy, SharedAccessKey: key } = fields(record.serviceConnectionString);
    return Registry.fromConnectionString(`HostName=${OTHER};SharedAccessKeyName=${policy};SharedAccessKey=${key}`);
}

const onOther = { allocationPolicy: 'static', iotHubs: [OTHER] };
const onFirst = { allocationPolicy: 'static', iotHubs: [host] };
const migrate = { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true } };
const reset = { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false } };
const stay = { reprovisionPolicy: { updateHubAssignment: false, migrateDeviceData: false } };

// Enrols on the first hub with POLICY, registers, changes the twin, allows only the other hub, and registers again.
async function move(t, registrationId, policy) {
    const key = newKey();
    const made = await enrol(t, {
        registrationId, attestation: keyPair(key), ...onFirst, ...policy,
        initialTwin: { tags: {}, properties: { desired: { n: 1 } } },
    });
    await registerKey(http, registrationId, key);
    await registry.updateTwin(registrationId, { properties: { desired: { n: 2 } } }, '*');
    await service.createOrUpdateIndividualEnrollment({ ...made, ...onOther });
    return { key, state: await registerKey(http, registrationId, key) };
}

test('a device is given to the hub that its enrolment names, and heard there', async (t) => {
    await ready;
    const key = newKey();
    await enrol(t, { registrationId: 'two-named', attestation: keyPair(key), ...onOther });
    const state = await registerKey(http, 'two-named', key);
    assert.strictEqual(state.assignedHub, OTHER);
    await isHeard(t, state, { key });
});

test('it does not get in at the hub that is not its own', async (t) => {
    await ready;
    const key = newKey();
    await enrol(t, { registrationId: 'two-wrong', attestation: keyPair(key), ...onOther });
    await registerKey(http, 'two-wrong', key);
    const client = deviceClient(t, `HostName=${host};DeviceId=two-wrong;SharedAccessKey=${key}`);
    await assert.rejects(client.open(), /Not authorized/);
});

test('each hub has a registry of its own', async (t) => {
    await ready;
    const key = newKey();
    await enrol(t, { registrationId: 'two-own', attestation: keyPair(key), ...onOther });
    await registerKey(http, 'two-own', key);
    await assert.rejects(registry.get('two-own'), { name: 'DeviceNotFoundError' });
    assert.strictEqual((await otherRegistry().get('two-own')).responseBody.deviceId, 'two-own');
    const ids = (await otherRegistry().list()).responseBody.map((device) => device.deviceId);
    assert.ok(ids.includes('two-own'));
});

test('a group is spread over the hubs', async (t) => {
    await ready;
    const groupKey = newKey();
    await enrolGroup(t, {
        enrollmentGroupId: 'two-spread', attestation: keyPair(groupKey), allocationPolicy: 'hashed', iotHubs: [host, OTHER],
    });
    const names = Array.from({ length: 16 }, (_, i) => `two-spread-${i}`);
    const states = await Promise.all(names.map((name) => registerKey(http, name, derivedKey(groupKey, name))));
    assert.deepStrictEqual([...new Set(states.map((s) => s.assignedHub))].sort(), [host, OTHER].sort());
    const again = await registerKey(http, names[0], derivedKey(groupKey, names[0]));
    assert.strictEqual(again.assignedHub, states[0].assignedHub);
});

test('a device that moves takes its data along, where the policy says so', async (t) => {
    await ready;
    const { key, state } = await move(t, 'two-migrate', migrate);
    assert.strictEqual(state.assignedHub, OTHER);
    assert.strictEqual(state.substatus, 'deviceDataMigrated');
    await assert.rejects(registry.get('two-migrate'), { name: 'DeviceNotFoundError' });
    const { responseBody: twin } = await otherRegistry().getTwin('two-migrate');
    assert.strictEqual(twin.properties.desired.n, 2);
    await isHeard(t, state, { key });
});

test('or begins anew', async (t) => {
    await ready;
    const { key, state } = await move(t, 'two-reset', reset);
    assert.strictEqual(state.assignedHub, OTHER);
    assert.strictEqual(state.substatus, 'deviceDataReset');
    const { responseBody: twin } = await otherRegistry().getTwin('two-reset');
    assert.strictEqual(twin.properties.desired.n, 1);
    await isHeard(t, state, { key });
});

test('or stays where it is', async (t) => {
    await ready;
    const { key, state } = await move(t, 'two-stay', stay);
    assert.strictEqual(state.assignedHub, host);
    assert.strictEqual((await registry.getTwin('two-stay')).responseBody.properties.desired.n, 2);
    await isHeard(t, state, { key });
});
