// The provisioning service's own API: enrolments, groups, bulk, queries, registration states.
'use strict';

const assert = require('node:assert');
const { promisify } = require('node:util');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { test } = require('./harness');
const { derivedKey, dps, enrol, enrolGroup, http, keyPair, newKey, registerKey, service } = require('./provisioning');
const { fields } = require('./sandbox');

const status = (code) => (error) => error.response && error.response.statusCode === code;

test('an enrolment is made, read, changed and removed', async () => {
    const made = (await service.createOrUpdateIndividualEnrollment({
        registrationId: 'enr-crud', attestation: keyPair(), provisioningStatus: 'enabled', deviceId: 'Crud',
    })).responseBody;
    assert.strictEqual(made.registrationId, 'enr-crud');
    assert.strictEqual(made.deviceId, 'Crud');
    assert.strictEqual(made.provisioningStatus, 'enabled');
    assert.strictEqual(made.attestation.type, 'symmetricKey');
    assert.ok(made.etag && Date.parse(made.createdDateTimeUtc) > 0 && Date.parse(made.lastUpdatedDateTimeUtc) > 0);

    const read = (await service.getIndividualEnrollment('enr-crud')).responseBody;
    assert.strictEqual(read.etag, made.etag);
    const changed = (await service.createOrUpdateIndividualEnrollment({ ...read, provisioningStatus: 'disabled' })).responseBody;
    assert.strictEqual(changed.provisioningStatus, 'disabled');
    assert.notStrictEqual(changed.etag, made.etag);
    await assert.rejects(service.createOrUpdateIndividualEnrollment({ ...read, deviceId: 'Other' }), status(412));
    await assert.rejects(service.deleteIndividualEnrollment('enr-crud', made.etag), status(412));
    await service.deleteIndividualEnrollment(changed);
    await assert.rejects(service.getIndividualEnrollment('enr-crud'), status(404));
    await assert.rejects(service.deleteIndividualEnrollment('enr-crud'), status(404));
});

test('a group is made, read, changed and removed', async () => {
    const made = (await service.createOrUpdateEnrollmentGroup({
        enrollmentGroupId: 'enr-group', attestation: keyPair(), provisioningStatus: 'enabled',
    })).responseBody;
    assert.strictEqual(made.enrollmentGroupId, 'enr-group');
    const read = (await service.getEnrollmentGroup('enr-group')).responseBody;
    const changed = (await service.createOrUpdateEnrollmentGroup({ ...read, provisioningStatus: 'disabled' })).responseBody;
    assert.strictEqual(changed.provisioningStatus, 'disabled');
    await assert.rejects(service.createOrUpdateEnrollmentGroup({ ...read, provisioningStatus: 'enabled' }), status(412));
    await service.deleteEnrollmentGroup(changed);
    await assert.rejects(service.getEnrollmentGroup('enr-group'), status(404));
});

test('keys that are not given are made, and can be read', async (t) => {
    await enrol(t, { registrationId: 'enr-keys', attestation: { type: 'symmetricKey' } });
    const { responseBody: own } = await service.getIndividualEnrollmentAttestationMechanism('enr-keys');
    assert.strictEqual(own.type, 'symmetricKey');
    const { primaryKey, secondaryKey } = own.symmetricKey;
    assert.ok(Buffer.from(primaryKey, 'base64').length >= 32 && primaryKey !== secondaryKey);
    assert.strictEqual((await registerKey(http, 'enr-keys', primaryKey)).status, 'assigned');

    await enrolGroup(t, { enrollmentGroupId: 'enr-group-keys', attestation: { type: 'symmetricKey' } });
    const { responseBody: group } = await service.getEnrollmentGroupAttestationMechanism('enr-group-keys');
    const key = derivedKey(group.symmetricKey.primaryKey, 'enr-group-member');
    assert.strictEqual((await registerKey(http, 'enr-group-member', key)).status, 'assigned');
});

test('a change that leaves the keys out keeps them', async (t) => {
    const key = newKey();
    await enrol(t, { registrationId: 'enr-kept', attestation: keyPair(key) });
    const { responseBody: read } = await service.getIndividualEnrollment('enr-kept');
    await service.createOrUpdateIndividualEnrollment({ ...read, deviceId: 'Kept' });
    assert.strictEqual((await registerKey(http, 'enr-kept', key)).deviceId, 'Kept');
});

test('queries give all enrolments, page by page', async (t) => {
    const names = Array.from({ length: 7 }, (_, i) => `enr-page-${i}`);
    for (const registrationId of names) {
        await enrol(t, { registrationId, attestation: keyPair() });
    }
    const query = service.createIndividualEnrollmentQuery({ query: 'SELECT * FROM enrollments' }, 3);
    const found = [];
    while (query.hasMoreResults) {
        const { responseBody: page } = await query.next(query.continuationToken);
        assert.ok(page.length <= 3);
        found.push(...page.map((e) => e.registrationId));
    }
    assert.deepStrictEqual(found.filter((name) => name.startsWith('enr-page-')).sort(), names);
});

test('queries give the groups', async (t) => {
    await enrolGroup(t, { enrollmentGroupId: 'enr-listed', attestation: keyPair() });
    const query = service.createEnrollmentGroupQuery({ query: 'SELECT * FROM enrollmentGroups' }, 100);
    const { responseBody: groups } = await query.next();
    assert.ok(groups.some((group) => group.enrollmentGroupId === 'enr-listed'));
});

test('several enrolments are made and removed in one call', async () => {
    const bulk = promisify(service.runBulkEnrollmentOperation.bind(service));
    const enrollments = ['enr-bulk-1', 'enr-bulk-2'].map((registrationId) => ({
        registrationId, attestation: keyPair(), provisioningStatus: 'enabled',
    }));
    const made = await bulk({ mode: 'create', enrollments });
    assert.strictEqual(made.isSuccessful, true);
    assert.strictEqual((await service.getIndividualEnrollment('enr-bulk-2')).responseBody.registrationId, 'enr-bulk-2');
    assert.strictEqual((await bulk({ mode: 'delete', enrollments })).isSuccessful, true);
    await assert.rejects(service.getIndividualEnrollment('enr-bulk-1'), status(404));
});

test('registration states are read, listed by group and removed', async (t) => {
    const groupKey = newKey();
    await enrolGroup(t, { enrollmentGroupId: 'enr-states', attestation: keyPair(groupKey) });
    await registerKey(http, 'enr-state-1', derivedKey(groupKey, 'enr-state-1'));
    await registerKey(http, 'enr-state-2', derivedKey(groupKey, 'enr-state-2'));

    const { responseBody: state } = await service.getDeviceRegistrationState('enr-state-1');
    assert.strictEqual(state.status, 'assigned');
    assert.strictEqual(state.deviceId, 'enr-state-1');
    const query = service.createEnrollmentGroupDeviceRegistrationStateQuery(
        { query: 'SELECT * FROM enrollments' }, 'enr-states', 10);
    const { responseBody: states } = await query.next();
    assert.deepStrictEqual(states.map((s) => s.registrationId).sort(), ['enr-state-1', 'enr-state-2']);
    await service.deleteDeviceRegistrationState(state);
    await assert.rejects(service.getDeviceRegistrationState('enr-state-1'), status(404));
});

test('an enrolment knows what became of it', async (t) => {
    const key = newKey();
    await enrol(t, { registrationId: 'enr-known', attestation: keyPair(key) });
    await registerKey(http, 'enr-known', key);
    const { responseBody: read } = await service.getIndividualEnrollment('enr-known');
    assert.strictEqual(read.registrationState.status, 'assigned');
});

test('an enrolment that cannot work is refused', async () => {
    const bad = [
        { registrationId: 'enr bad', attestation: keyPair() },
        { registrationId: 'enr-bad', attestation: { type: 'guess' } },
        { registrationId: 'enr-bad', attestation: { type: 'x509', x509: { clientCertificates: { primary: { certificate: 'no PEM' } } } } },
        { registrationId: 'enr-bad', attestation: { type: 'tpm', tpm: { endorsementKey: 'no key' } } },
        { registrationId: 'enr-bad', attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: '???', secondaryKey: '???' } } },
        { registrationId: 'enr-bad', attestation: keyPair(), deviceId: 'not a name' },
    ];
    for (const enrollment of bad) {
        await assert.rejects(
            service.createOrUpdateIndividualEnrollment({ provisioningStatus: 'enabled', ...enrollment }),
            status(400), JSON.stringify(enrollment).slice(0, 120));
    }
});

test('a wrong key opens nothing', async () => {
    const { SharedAccessKeyName: policy } = fields(dps.serviceConnectionString);
    const other = ProvisioningServiceClient.fromConnectionString(
        `HostName=${dps.host};SharedAccessKeyName=${policy};SharedAccessKey=${newKey()}`);
    await assert.rejects(other.getIndividualEnrollment('enr-any'), status(401));
    await assert.rejects(other.createOrUpdateIndividualEnrollment({ registrationId: 'enr-any', attestation: keyPair() }), status(401));
});
