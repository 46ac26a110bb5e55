// Provisioning with a symmetric key, a device's own or one made of its group's.
'use strict';

const assert = require('node:assert');
const { test } = require('./harness');
const { derivedKey, dps, enrol, enrolGroup, http, isHeard, keyPair, newKey, registerKey, service, ways } = require('./provisioning');
const { createDevice, host, record, registry } = require('./sandbox');

// By HTTP the status, by MQTT the refused connection or the status of the answer.
function refusedBy(error) {
    return (error.response && [401, 404].includes(error.response.statusCode))
        || ['UnauthorizedError', 'DeviceNotFoundError'].includes(error.name)
        || /Not authorized|Bad username or password/.test(error.message);
}

for (const way of ways) {
    const id = (text) => `key-${text}-${way.name.replace(/ /g, '').toLowerCase()}`;

    test(`${way.name}: an individual enrolment gives a device that is heard`, async (t) => {
        const key = newKey();
        await enrol(t, { registrationId: id('one'), attestation: keyPair(key) });
        const state = await registerKey(way, id('one'), key);
        assert.strictEqual(state.status, 'assigned');
        assert.strictEqual(state.substatus, 'initialAssignment');
        assert.strictEqual(state.deviceId, id('one'));
        assert.strictEqual(state.assignedHub, host);
        await isHeard(t, state, { key });
    });

    test(`${way.name}: the secondary key is as good`, async (t) => {
        const key = newKey();
        await enrol(t, { registrationId: id('second'), attestation: keyPair(newKey(), key) });
        await isHeard(t, await registerKey(way, id('second'), key), { key });
    });

    test(`${way.name}: a group gives devices that are heard`, async (t) => {
        const groupKey = newKey();
        await enrolGroup(t, { enrollmentGroupId: id('group'), attestation: keyPair(groupKey) });
        for (const name of [id('member-1'), id('member-2')]) {
            const key = derivedKey(groupKey, name);
            const state = await registerKey(way, name, key);
            assert.strictEqual(state.deviceId, name);
            await isHeard(t, state, { key });
        }
    });

    test(`${way.name}: a wrong key is refused`, async (t) => {
        await enrol(t, { registrationId: id('wrong'), attestation: keyPair() });
        await assert.rejects(registerKey(way, id('wrong'), newKey()), refusedBy);
        await assert.rejects(registry.get(id('wrong')), { name: 'DeviceNotFoundError' });
    });

    test(`${way.name}: who is not enrolled is refused`, async () => {
        await assert.rejects(registerKey(way, id('nobody'), newKey()), refusedBy);
    });

    test(`${way.name}: an unknown scope is refused`, async (t) => {
        const key = newKey();
        await enrol(t, { registrationId: id('scope'), attestation: keyPair(key) });
        await assert.rejects(registerKey(way, id('scope'), key, { idScope: '0neDEADBEEF' }), refusedBy);
    });

    test(`${way.name}: a disabled enrolment gives nothing`, async (t) => {
        const key = newKey();
        await enrol(t, { registrationId: id('disabled'), attestation: keyPair(key), provisioningStatus: 'disabled' });
        await assert.rejects(registerKey(way, id('disabled'), key));
        await assert.rejects(registry.get(id('disabled')), { name: 'DeviceNotFoundError' });
    });

    test(`${way.name}: a disabled group gives nothing`, async (t) => {
        const groupKey = newKey();
        await enrolGroup(t, {
            enrollmentGroupId: id('off'), attestation: keyPair(groupKey), provisioningStatus: 'disabled',
        });
        await assert.rejects(registerKey(way, id('off-1'), derivedKey(groupKey, id('off-1'))));
        await assert.rejects(registry.get(id('off-1')), { name: 'DeviceNotFoundError' });
    });

    test(`${way.name}: a payload may come along`, async (t) => {
        const key = newKey();
        await enrol(t, { registrationId: id('payload'), attestation: keyPair(key) });
        const state = await registerKey(way, id('payload'), key, { payload: { modelId: 'dtmi:x;1', n: [1] } });
        assert.strictEqual(state.status, 'assigned');
    });
}

test('the enrolment says how the device is called and what its twin begins with', async (t) => {
    const key = newKey();
    await enrol(t, {
        registrationId: 'key-shaped', deviceId: 'Shaped-Device', attestation: keyPair(key),
        capabilities: { iotEdge: true },
        initialTwin: { tags: { site: 'lab' }, properties: { desired: { interval: 7 } } },
    });
    const state = await registerKey(http, 'key-shaped', key);
    assert.strictEqual(state.deviceId, 'Shaped-Device');
    const { responseBody: device } = await registry.get('Shaped-Device');
    assert.strictEqual(device.capabilities.iotEdge, true);
    const { responseBody: modules } = await registry.getModulesOnDevice('Shaped-Device');
    assert.strictEqual(modules.length, 2);
    const { responseBody: twin } = await registry.getTwin('Shaped-Device');
    assert.deepStrictEqual(twin.tags, { site: 'lab' });
    assert.strictEqual(twin.properties.desired.interval, 7);
});

test('a device that was in the registry before is taken as it is', async (t) => {
    const key = newKey();
    await createDevice('key-before');
    await enrol(t, { registrationId: 'key-before', attestation: keyPair(key) });
    await isHeard(t, await registerKey(http, 'key-before', key), { key });
});

test('registration ids do not differ in case', async (t) => {
    const key = newKey();
    await enrol(t, { registrationId: 'key-case', attestation: keyPair(key) });
    const state = await registerKey(http, 'Key-CASE', key);
    assert.strictEqual(state.registrationId.toLowerCase(), 'key-case');
});

test('registering again keeps the device and its twin', async (t) => {
    const key = newKey();
    await enrol(t, {
        registrationId: 'key-keep', attestation: keyPair(key),
        reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
        initialTwin: { tags: {}, properties: { desired: { n: 1 } } },
    });
    await registerKey(http, 'key-keep', key);
    await registry.updateTwin('key-keep', { properties: { desired: { n: 2 } } }, '*');
    const state = await registerKey(http, 'key-keep', key);
    assert.strictEqual(state.status, 'assigned');
    assert.strictEqual((await registry.getTwin('key-keep')).responseBody.properties.desired.n, 2);
});

test('a device that was deleted from the hub is made again', async (t) => {
    const key = newKey();
    await enrol(t, { registrationId: 'key-anew', attestation: keyPair(key) });
    await registerKey(http, 'key-anew', key);
    await registry.delete('key-anew');
    await isHeard(t, await registerKey(http, 'key-anew', key), { key });
});

test('an individual enrolment that is disabled excludes one device of a group', async (t) => {
    const groupKey = newKey();
    await enrolGroup(t, { enrollmentGroupId: 'key-mixed', attestation: keyPair(groupKey) });
    const key = derivedKey(groupKey, 'key-mixed-out');
    await enrol(t, { registrationId: 'key-mixed-out', attestation: keyPair(key), provisioningStatus: 'disabled' });
    await assert.rejects(registerKey(http, 'key-mixed-out', key));
    const other = derivedKey(groupKey, 'key-mixed-in');
    assert.strictEqual((await registerKey(http, 'key-mixed-in', other)).status, 'assigned');
});

test('an enrolment that is deleted gives nothing any more', async (t) => {
    const key = newKey();
    await enrol(t, { registrationId: 'key-gone', attestation: keyPair(key) });
    await registerKey(http, 'key-gone', key);
    await service.deleteIndividualEnrollment('key-gone');
    await assert.rejects(registerKey(http, 'key-gone', key), refusedBy);
});

test('the record says all that a device needs', () => {
    assert.ok(dps.host && dps.idScope && dps.serviceConnectionString, JSON.stringify(Object.keys(record)));
    assert.match(dps.idScope, /^0ne[0-9A-Za-z]+$/);
});
