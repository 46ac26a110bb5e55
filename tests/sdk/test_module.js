// Modules of a device: their own connections, outputs, and the ones that every edge device has.
'use strict';

const assert = require('node:assert');
const { Message } = require('azure-iot-device');
const { test } = require('./harness');
const { createDevice, createModule, deviceClient, host, moduleClient, registry, telemetry, transports } = require('./sandbox');

for (const { name, Transport } of transports) {
    const id = (text) => `mod-${text}-${Transport.name}`;

    test(`${name}: a module is heard, and which one it was`, async (t) => {
        const device = await createDevice(id('one'));
        const one = moduleClient(t, (await createModule(device.id, 'one')).connectionString, Transport);
        const two = moduleClient(t, (await createModule(device.id, 'two')).connectionString, Transport);
        await one.open();
        await two.open();
        await one.sendEvent(new Message('from one'));
        await two.sendEvent(new Message('from two'));
        assert.strictEqual((await telemetry(device.id, 1, 'one'))[0].data.toString(), 'from one');
        assert.strictEqual((await telemetry(device.id, 1, 'two'))[0].data.toString(), 'from two');
    });

    test(`${name}: an output is named`, async (t) => {
        const device = await createDevice(id('output'));
        const module = moduleClient(t, (await createModule(device.id, 'filter')).connectionString, Transport);
        await module.open();
        const message = new Message('{}');
        message.properties.add('alert', 'yes');
        await module.sendOutputEvent('alerts', message);
        const [event] = await telemetry(device.id, 1, 'filter');
        assert.strictEqual(event.systemProperties['iothub-outputname'], 'alerts');
        assert.deepStrictEqual(event.properties, { alert: 'yes' });
    });

    test(`${name}: a module may listen on its inputs`, async (t) => {
        const device = await createDevice(id('input'));
        const module = moduleClient(t, (await createModule(device.id, 'sink')).connectionString, Transport);
        module.on('inputMessage', () => {});
        module.on('error', (error) => assert.fail(error));
        await module.open();
        await module.sendEvent(new Message('after the subscription'));
        await telemetry(device.id, 1, 'sink');
    });

    test(`${name}: a device and its modules do not end each other`, async (t) => {
        const device = await createDevice(id('both'));
        const module = moduleClient(t, (await createModule(device.id, 'm1')).connectionString, Transport);
        const own = deviceClient(t, device.connectionString, Transport);
        await own.open();
        await module.open();
        await own.sendEvent(new Message('device'));
        await module.sendEvent(new Message('module'));
        await telemetry(device.id);
        await telemetry(device.id, 1, 'm1');
        const { responseBody } = await registry.getModule(device.id, 'm1');
        assert.strictEqual(responseBody.connectionState, 'Connected');
    });
}

test('the modules of an edge device connect with keys of their own', async (t) => {
    await createDevice('mod-edge', { capabilities: { iotEdge: true } });
    for (const moduleId of ['$edgeAgent', '$edgeHub']) {
        const { responseBody } = await registry.getModule('mod-edge', moduleId);
        const key = responseBody.authentication.symmetricKey.primaryKey;
        const client = moduleClient(t, `HostName=${host};DeviceId=mod-edge;ModuleId=${moduleId};SharedAccessKey=${key}`);
        await client.open();
        const twin = await client.getTwin();
        assert.strictEqual(twin.properties.desired.$version, 1);
    }
});

test('a module may sign with the key of its device', async (t) => {
    const device = await createDevice('mod-parent-key');
    await createModule(device.id, 'child');
    const client = moduleClient(
        t, `HostName=${host};DeviceId=${device.id};ModuleId=child;SharedAccessKey=${device.primaryKey}`);
    await client.open();
});

test('a module that does not exist is refused', async (t) => {
    const device = await createDevice('mod-none');
    const client = moduleClient(
        t, `HostName=${host};DeviceId=${device.id};ModuleId=nobody;SharedAccessKey=${device.primaryKey}`);
    await assert.rejects(client.open(), /Not authorized/);
});
