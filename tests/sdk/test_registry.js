// The registry through azure-iothub: devices, modules, bulk operations, statistics.
'use strict';

const assert = require('node:assert');
const { promisify } = require('node:util');
const { test } = require('./harness');
const { createDevice, createModule, deviceClient, registry } = require('./sandbox');

const KEY = (byte) => Buffer.alloc(32, byte).toString('base64');
const THUMBPRINT = 'A'.repeat(40);

async function get(id) {
    return (await registry.get(id)).responseBody;
}

// What a bulk call says, also where it says it with status 400.
async function bulk(call) {
    try {
        return (await call).responseBody;
    } catch (error) {
        return JSON.parse(error.responseBody);
    }
}

test('a new device has what every device has', async () => {
    const before = Date.now();
    await createDevice('reg-new');
    const device = await get('reg-new');
    assert.strictEqual(device.deviceId, 'reg-new');
    assert.strictEqual(device.status, 'enabled');
    assert.strictEqual(device.connectionState, 'Disconnected');
    assert.strictEqual(device.cloudToDeviceMessageCount, 0);
    assert.strictEqual(device.authentication.type, 'sas');
    assert.strictEqual(Buffer.from(device.authentication.symmetricKey.primaryKey, 'base64').length, 32);
    assert.notStrictEqual(
        device.authentication.symmetricKey.primaryKey, device.authentication.symmetricKey.secondaryKey);
    assert.strictEqual(device.capabilities.iotEdge, false);
    assert.ok(device.generationId.length > 0 && device.etag.length > 0);
    assert.ok(Date.parse(device.lastActivityTime) < before);
});

test('keys that are given are kept', async () => {
    const symmetricKey = { primaryKey: KEY(1), secondaryKey: KEY(2) };
    await registry.create({ deviceId: 'reg-keys', authentication: { symmetricKey } });
    assert.deepStrictEqual((await get('reg-keys')).authentication.symmetricKey, symmetricKey);
});

test('the kinds of X.509 devices are told apart', async () => {
    await registry.create({
        deviceId: 'reg-self',
        authentication: { x509Thumbprint: { primaryThumbprint: THUMBPRINT, secondaryThumbprint: THUMBPRINT } },
    });
    await registry.create({ deviceId: 'reg-ca', authentication: { type: 'certificateAuthority' } });
    const { authentication } = await get('reg-self');
    assert.strictEqual(authentication.type, 'selfSigned');
    assert.strictEqual(authentication.x509Thumbprint.primaryThumbprint, THUMBPRINT);
    assert.strictEqual((await get('reg-ca')).authentication.type, 'certificateAuthority');
});

test('a device is made once', async () => {
    await createDevice('reg-twice');
    await assert.rejects(registry.create({ deviceId: 'reg-twice' }), { name: 'DeviceAlreadyExistsError' });
});

test('a device that does not exist is DeviceNotFound in every call', async () => {
    const notFound = { name: 'DeviceNotFoundError' };
    await assert.rejects(registry.get('reg-nobody'), notFound);
    await assert.rejects(registry.getTwin('reg-nobody'), notFound);
    await assert.rejects(registry.update({ deviceId: 'reg-nobody', status: 'disabled' }), notFound);
    await assert.rejects(registry.delete('reg-nobody'), notFound);
    await assert.rejects(registry.getModulesOnDevice('reg-nobody'), notFound);
    await assert.rejects(registry.addModule({ deviceId: 'reg-nobody', moduleId: 'm' }), notFound);
});

test('ids may have every character that IoT Hub allows, and no other', async () => {
    const id = "reg-.+%_#*?!(),:=@$'A9";
    await createDevice(id);
    assert.strictEqual((await get(id)).deviceId, id);
    assert.strictEqual((await registry.getTwin(id)).responseBody.deviceId, id);
    await registry.delete(id);
    await assert.rejects(registry.get(id), { name: 'DeviceNotFoundError' });
    for (const wrong of ['reg space', 'reg/slash', 'größe', 'x'.repeat(129)]) {
        await assert.rejects(registry.create({ deviceId: wrong }), { name: 'ArgumentError' }, wrong);
    }
});

test('such an id connects, too', async (t) => {
    const device = await createDevice("reg-on.+%_#*?!(),:=@$'A9");
    await deviceClient(t, device.connectionString).open();
    assert.strictEqual((await get(device.id)).connectionState, 'Connected');
});

test('ids differ in case', async () => {
    await createDevice('reg-case');
    await createDevice('reg-CASE');
    await registry.delete('reg-case');
    assert.strictEqual((await get('reg-CASE')).deviceId, 'reg-CASE');
});

test('a list has the devices', async () => {
    await createDevice('reg-list-1');
    await createDevice('reg-list-2');
    const ids = (await registry.list()).responseBody.map((device) => device.deviceId);
    assert.ok(ids.includes('reg-list-1') && ids.includes('reg-list-2'));
});

test('a device that is made again is another one', async () => {
    const first = await createDevice('reg-again');
    const before = await get(first.id);
    await registry.updateTwin(first.id, { tags: { old: true } }, '*');
    await registry.delete(first.id);
    await createDevice(first.id);
    const after = await get(first.id);
    assert.notStrictEqual(after.generationId, before.generationId);
    assert.deepStrictEqual((await registry.getTwin(first.id)).responseBody.tags, {});
});

test('an edge device comes with its two modules and a scope', async () => {
    await createDevice('reg-edge', { capabilities: { iotEdge: true } });
    const device = await get('reg-edge');
    assert.strictEqual(device.capabilities.iotEdge, true);
    assert.ok(device.deviceScope.startsWith('ms-azure-iot-edge://reg-edge-'), device.deviceScope);
    const { responseBody: modules } = await registry.getModulesOnDevice('reg-edge');
    assert.deepStrictEqual(modules.map((m) => m.moduleId).sort(), ['$edgeAgent', '$edgeHub']);
});

test('a device below an edge device names it', async () => {
    await createDevice('reg-parent', { capabilities: { iotEdge: true } });
    const { deviceScope } = await get('reg-parent');
    await createDevice('reg-leaf', { deviceScope });
    const leaf = await get('reg-leaf');
    assert.strictEqual(leaf.deviceScope, deviceScope);
    assert.deepStrictEqual(leaf.parentScopes, [deviceScope]);
});

test('modules are made, listed, changed and removed', async () => {
    await createDevice('reg-modules');
    await createModule('reg-modules', 'one');
    await createModule('reg-modules', 'two', { managedBy: 'me' });
    await assert.rejects(createModule('reg-modules', 'one'), (error) => error.response.statusCode === 409);
    const { responseBody: list } = await registry.getModulesOnDevice('reg-modules');
    assert.deepStrictEqual(list.map((m) => m.moduleId).sort(), ['one', 'two']);

    const { responseBody: module } = await registry.getModule('reg-modules', 'two');
    assert.strictEqual(module.managedBy, 'me');
    await registry.updateModule({ ...module, managedBy: 'you' });
    await assert.rejects(registry.updateModule({ ...module, managedBy: 'they' }), { name: 'InvalidEtagError' });
    await registry.updateModule({ ...module, managedBy: 'all' }, true);
    assert.strictEqual((await registry.getModule('reg-modules', 'two')).responseBody.managedBy, 'all');

    await registry.removeModule('reg-modules', 'one');
    await assert.rejects(registry.getModule('reg-modules', 'one'), (error) => error.response.statusCode === 404);
    const { responseBody: two } = await registry.getModule('reg-modules', 'two');
    // Of a module it takes the etag, and then it wants a callback.
    await promisify(registry.removeModule.bind(registry))(two);
    assert.deepStrictEqual((await registry.getModulesOnDevice('reg-modules')).responseBody, []);
});

test('many devices are made, changed and removed in one call each', async () => {
    const ids = Array.from({ length: 100 }, (_, i) => `reg-bulk-${i}`);
    const devices = ids.map((deviceId) => ({ deviceId, authentication: { symmetricKey: { primaryKey: KEY(3), secondaryKey: KEY(4) } } }));
    const added = await bulk(registry.addDevices(devices));
    assert.strictEqual(added.isSuccessful, true);
    assert.deepStrictEqual(added.errors, []);
    assert.strictEqual((await get('reg-bulk-99')).authentication.symmetricKey.primaryKey, KEY(3));

    const changed = await bulk(registry.updateDevices(devices.map((d) => ({ ...d, status: 'disabled' })), true));
    assert.strictEqual(changed.isSuccessful, true);
    assert.strictEqual((await get('reg-bulk-50')).status, 'disabled');

    const removed = await bulk(registry.removeDevices(devices, true));
    assert.strictEqual(removed.isSuccessful, true);
    await assert.rejects(registry.get('reg-bulk-0'), { name: 'DeviceNotFoundError' });
});

test('a bulk call names what it could not do and does the rest', async () => {
    await createDevice('reg-part-old');
    const result = await bulk(registry.addDevices([{ deviceId: 'reg-part-old' }, { deviceId: 'reg-part-new' }]));
    assert.strictEqual(result.isSuccessful, false);
    assert.deepStrictEqual(result.errors.map((e) => e.deviceId), ['reg-part-old']);
    assert.match(String(result.errors[0].errorCode), /DeviceAlreadyExists|409001/);
    assert.strictEqual((await get('reg-part-new')).deviceId, 'reg-part-new');
});

test('a bulk change by etag spares what was changed meanwhile', async () => {
    await createDevice('reg-tag-1');
    await createDevice('reg-tag-2');
    const one = await get('reg-tag-1');
    const two = await get('reg-tag-2');
    await registry.update({ ...one, status: 'disabled' });
    const result = await bulk(registry.removeDevices([
        { deviceId: one.deviceId, etag: one.etag }, { deviceId: two.deviceId, etag: two.etag }], false));
    assert.strictEqual(result.isSuccessful, false);
    assert.deepStrictEqual(result.errors.map((e) => e.deviceId), ['reg-tag-1']);
    assert.strictEqual((await get('reg-tag-1')).status, 'disabled');
    await assert.rejects(registry.get('reg-tag-2'), { name: 'DeviceNotFoundError' });
});

test('statistics count', async () => {
    const numbers = async () => (await registry.getRegistryStatistics()).responseBody;
    await createDevice('reg-count-1');
    await createDevice('reg-count-2', { status: 'disabled' });
    const after = await numbers();
    assert.strictEqual(after.totalDeviceCount, after.enabledDeviceCount + after.disabledDeviceCount);
    await registry.delete('reg-count-2');
    const last = await numbers();
    assert.strictEqual(last.totalDeviceCount, after.totalDeviceCount - 1);
    assert.strictEqual(last.disabledDeviceCount, after.disabledDeviceCount - 1);
}, { alone: true });
