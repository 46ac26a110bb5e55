// Provisioning with a certificate: one that is enrolled by itself, or any that a group's authority signed.
'use strict';

const assert = require('node:assert');
const certs = require('./certs');
const { test } = require('./harness');
const { enrol, enrolGroup, http, isHeard, registerCertificate, ways } = require('./provisioning');
const { registry, trustAuthority } = require('./sandbox');

function ownCertificate(primary, secondary) {
    const clientCertificates = { primary: { certificate: primary.own } };
    if (secondary) {
        clientCertificates.secondary = { certificate: secondary.own };
    }
    return { type: 'x509', x509: { clientCertificates } };
}

function signedBy(authority) {
    return { type: 'x509', x509: { signingCertificates: { primary: { certificate: authority.own } } } };
}

for (const way of ways) {
    const id = (text) => `cert-${text}-${way.name.replace(/ /g, '').toLowerCase()}`;

    test(`${way.name}: an enrolled certificate gives a device that is heard`, async (t) => {
        const certificate = certs.device(id('one'));
        await enrol(t, { registrationId: id('one'), attestation: ownCertificate(certificate) });
        const state = await registerCertificate(way, id('one'), certificate);
        assert.strictEqual(state.status, 'assigned');
        assert.strictEqual((await registry.get(state.deviceId)).responseBody.authentication.type, 'selfSigned');
        await isHeard(t, state, { certificate });
    });

    test(`${way.name}: the secondary certificate is as good`, async (t) => {
        const certificate = certs.device(id('two'));
        await enrol(t, {
            registrationId: id('two'), attestation: ownCertificate(certs.device(id('two')), certificate),
        });
        await isHeard(t, await registerCertificate(way, id('two'), certificate), { certificate });
    });

    test(`${way.name}: a group takes what its authority signed`, async (t) => {
        const authority = certs.authority(id('root'));
        await enrolGroup(t, { enrollmentGroupId: id('group'), attestation: signedBy(authority) });
        const certificate = certs.device(id('member'), authority);
        const state = await registerCertificate(way, id('member'), certificate);
        assert.strictEqual(state.deviceId, id('member'));
        // Azure wants the authority on the hub as well.
        await trustAuthority(authority.own);
        await isHeard(t, state, { certificate });
    });

    test(`${way.name}: a group of an intermediate takes its devices, and no others of the root`, async (t) => {
        const root = certs.authority(id('top'));
        const between = certs.authority(id('between'), root);
        await enrolGroup(t, { enrollmentGroupId: id('sub'), attestation: signedBy(between) });
        const state = await registerCertificate(way, id('below'), certs.device(id('below'), between));
        assert.strictEqual(state.status, 'assigned');
        await assert.rejects(registerCertificate(way, id('beside'), certs.device(id('beside'), root)));
    });

    test(`${way.name}: another certificate is refused`, async (t) => {
        await enrol(t, { registrationId: id('wrong'), attestation: ownCertificate(certs.device(id('wrong'))) });
        await assert.rejects(registerCertificate(way, id('wrong'), certs.device(id('wrong'))));
        await assert.rejects(registry.get(id('wrong')), { name: 'DeviceNotFoundError' });
    });

    test(`${way.name}: a registration id that is not the certificate's is refused`, async (t) => {
        const authority = certs.authority(id('names'));
        await enrolGroup(t, { enrollmentGroupId: id('names'), attestation: signedBy(authority) });
        await assert.rejects(registerCertificate(way, id('me'), certs.device(id('you'), authority)));
    });

    test(`${way.name}: an unknown authority is refused`, async () => {
        const authority = certs.authority(id('unknown'));
        await assert.rejects(registerCertificate(way, id('who'), certs.device(id('who'), authority)));
    });

    test(`${way.name}: a disabled group gives nothing`, async (t) => {
        const authority = certs.authority(id('off'));
        await enrolGroup(t, {
            enrollmentGroupId: id('off'), attestation: signedBy(authority), provisioningStatus: 'disabled',
        });
        await assert.rejects(registerCertificate(way, id('off-1'), certs.device(id('off-1'), authority)));
    });
}

test('the enrolment tells of its certificate without giving it back', async (t) => {
    const certificate = certs.device('cert-shown');
    const { sha1, sha256 } = certs.thumbprints(certificate);
    const made = await enrol(t, { registrationId: 'cert-shown', attestation: ownCertificate(certificate) });
    const { info } = made.attestation.x509.clientCertificates.primary;
    assert.strictEqual(info.sha1Thumbprint.toUpperCase(), sha1);
    assert.strictEqual(info.sha256Thumbprint.toUpperCase(), sha256);
    assert.match(info.subjectName, /CN=cert-shown/);
});

test('an enrolment keeps its certificate when it is changed without it', async (t) => {
    const certificate = certs.device('cert-kept');
    const made = await enrol(t, { registrationId: 'cert-kept', attestation: ownCertificate(certificate) });
    await enrol(t, { ...made, deviceId: 'Cert-Kept' });
    assert.strictEqual((await registerCertificate(http, 'cert-kept', certificate)).deviceId, 'Cert-Kept');
});
