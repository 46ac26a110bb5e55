// Who must not get in, and that the SDKs understand why.
'use strict';

const assert = require('node:assert');
const { Message } = require('azure-iot-device');
const { Registry } = require('azure-iothub');
const { test } = require('./harness');
const {
    createDevice, createModule, deviceClient, fields, host, moduleClient, record, registry, serviceToken, telemetry, token,
    tokenClient, transports,
} = require('./sandbox');

const OTHER_KEY = Buffer.alloc(32, 7).toString('base64');
// What mqtt.js makes of return code 5; a connection that is merely closed reads differently.
const REFUSED = /Connection refused: Not authorized/;

for (const { name, Transport } of transports) {
    const id = (text) => `no-${text}-${Transport.name}`;
    const refused = (client) => assert.rejects(client.open(), REFUSED);

    test(`${name}: a wrong key is refused`, async (t) => {
        const device = await createDevice(id('key'));
        await refused(deviceClient(
            t, `HostName=${host};DeviceId=${device.id};SharedAccessKey=${OTHER_KEY}`, Transport));
    });

    test(`${name}: an unknown device is refused`, async (t) => {
        await refused(deviceClient(
            t, `HostName=${host};DeviceId=${id('body')};SharedAccessKey=${OTHER_KEY}`, Transport));
    });

    test(`${name}: another device's key is refused`, async (t) => {
        const device = await createDevice(id('mine'));
        const other = await createDevice(id('other'));
        await refused(deviceClient(
            t, `HostName=${host};DeviceId=${device.id};SharedAccessKey=${other.primaryKey}`, Transport));
    });

    test(`${name}: a disabled device is refused, and let in once it is enabled`, async (t) => {
        const device = await createDevice(id('disabled'), { status: 'disabled' });
        await refused(deviceClient(t, device.connectionString, Transport));
        await registry.update({ deviceId: device.id, status: 'enabled' });
        const { responseBody } = await registry.get(device.id);
        const key = responseBody.authentication.symmetricKey.primaryKey;
        await deviceClient(t, `HostName=${host};DeviceId=${device.id};SharedAccessKey=${key}`, Transport).open();
    });

    test(`${name}: a token that ended is refused, but not for a clock that is minutes off`, async (t) => {
        const device = await createDevice(id('expired'));
        const resource = `${host}/devices/${device.id}`;
        await refused(tokenClient(
            t, device.id, token(resource, device.primaryKey, { seconds: -600 }), Transport));
        const late = token(resource, device.primaryKey, { seconds: -60 });
        await tokenClient(t, device.id, late, Transport).open();
    });

    test(`${name}: a token for something else is refused`, async (t) => {
        const device = await createDevice(id('audience'));
        const wrong = [
            `${host}/devices/${device.id}x`,
            `other.example/devices/${device.id}`,
            `${host}/devices/${device.id}/modules/m`,
            `${host}/device`,
        ];
        for (const resource of wrong) {
            await refused(tokenClient(t, device.id, token(resource, device.primaryKey), Transport));
        }
    });

    test(`${name}: a module does not get in with another module's key`, async (t) => {
        const device = await createDevice(id('modules'));
        const one = await createModule(device.id, 'one');
        const two = await createModule(device.id, 'two');
        await refused(moduleClient(t, one.connectionString.replace(one.primaryKey, two.primaryKey), Transport));
        await moduleClient(t, one.connectionString, Transport).open();
    });
}

test('a wrong service key is 401', async () => {
    const { SharedAccessKeyName: policy, HostName } = fields(record.serviceConnectionString);
    const other = Registry.fromConnectionString(
        `HostName=${HostName};SharedAccessKeyName=${policy};SharedAccessKey=${OTHER_KEY}`);
    await assert.rejects(other.list(), { name: 'UnauthorizedError' });
});

test('a policy that does not exist is 401', async () => {
    const { SharedAccessKey: key, HostName } = fields(record.serviceConnectionString);
    const other = Registry.fromConnectionString(
        `HostName=${HostName};SharedAccessKeyName=nobody;SharedAccessKey=${key}`);
    await assert.rejects(other.list(), { name: 'UnauthorizedError' });
});

test('a service token that ended is 401', async () => {
    const other = Registry.fromSharedAccessSignature(serviceToken({ seconds: -600 }));
    await assert.rejects(other.list(), { name: 'UnauthorizedError' });
    await Registry.fromSharedAccessSignature(serviceToken()).list();
});

test("a device's key opens nothing of the service API", async () => {
    const device = await createDevice('no-service');
    const own = new Registry({ host, sharedAccessSignature: token(`${host}/devices/${device.id}`, device.primaryKey) });
    await assert.rejects(own.list(), { name: 'UnauthorizedError' });
    await assert.rejects(own.get(device.id), { name: 'UnauthorizedError' });
    await assert.rejects(own.getTwin(device.id), { name: 'UnauthorizedError' });
    await assert.rejects(own.delete(device.id), { name: 'UnauthorizedError' });
});

test('who was refused leaves nothing behind', async (t) => {
    const device = await createDevice('no-trace');
    const wrong = deviceClient(t, `HostName=${host};DeviceId=${device.id};SharedAccessKey=${OTHER_KEY}`);
    await assert.rejects(wrong.sendEvent(new Message('from a stranger')), REFUSED);
    const right = deviceClient(t, device.connectionString);
    await right.open();
    await right.sendEvent(new Message('from itself'));
    const events = await telemetry(device.id);
    assert.deepStrictEqual(events.map((e) => e.data.toString()), ['from itself']);
});
