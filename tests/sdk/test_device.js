// A device's own side over both transports with each kind of credential, and what becomes of its telemetry.
'use strict';

const assert = require('node:assert');
const { Message } = require('azure-iot-device');
const { test } = require('./harness');
const { createDevice, deviceClient, fields, host, record, telemetry, transports } = require('./sandbox');

for (const { name, Transport } of transports) {
    const id = (text) => `${text}-${Transport.name}`;

    test(`${name}: a device with its primary key is heard`, async (t) => {
        const device = await createDevice(id('primary'));
        const client = deviceClient(t, device.connectionString, Transport);
        await client.open();
        await client.sendEvent(new Message('{"t":21}'));
        const [event] = await telemetry(device.id);
        assert.strictEqual(event.data.toString(), '{"t":21}');
    });

    test(`${name}: a device with its secondary key is heard`, async (t) => {
        const device = await createDevice(id('secondary'));
        const client = deviceClient(
            t, `HostName=${host};DeviceId=${device.id};SharedAccessKey=${device.secondaryKey}`, Transport);
        await client.open();
        await client.sendEvent(new Message('x'));
        await telemetry(device.id);
    });

    test(`${name}: a device with a policy's key is heard`, async (t) => {
        const device = await createDevice(id('policy'));
        const { SharedAccessKeyName: policy, SharedAccessKey: key } = fields(record.serviceConnectionString);
        const client = deviceClient(
            t, `HostName=${host};DeviceId=${device.id};SharedAccessKeyName=${policy};SharedAccessKey=${key}`, Transport);
        await client.open();
        await client.sendEvent(new Message('x'));
        await telemetry(device.id);
    });

    test(`${name}: properties arrive as they were set`, async (t) => {
        const device = await createDevice(id('properties'));
        const client = deviceClient(t, device.connectionString, Transport);
        const message = new Message('{}');
        message.messageId = 'm 1';
        message.correlationId = 'c/2';
        message.userId = 'u&3';
        message.contentType = 'application/json';
        message.contentEncoding = 'utf-8';
        message.properties.add('alert type', 'a/b=c&d%20+');
        message.properties.add('größe', '42 µm');
        message.properties.add('empty', '');
        await client.open();
        await client.sendEvent(message);
        const [event] = await telemetry(device.id);
        assert.deepStrictEqual(event.properties, {
            'alert type': 'a/b=c&d%20+', größe: '42 µm', empty: '',
        });
        const system = event.systemProperties;
        assert.strictEqual(system['message-id'], 'm 1');
        assert.strictEqual(system['correlation-id'], 'c/2');
        assert.strictEqual(system['user-id'], 'u&3');
        assert.strictEqual(system['content-type'], 'application/json');
        assert.strictEqual(system['content-encoding'], 'utf-8');
        assert.strictEqual(system['iothub-connection-device-id'], device.id);
        assert.match(system['iothub-connection-auth-method'], /"scope":"device"/);
    });

    test(`${name}: a message of any bytes arrives whole, up to the limit`, async (t) => {
        const device = await createDevice(id('bytes'));
        const client = deviceClient(t, device.connectionString, Transport);
        const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        const large = Buffer.alloc(255 * 1024, 'berth');
        await client.open();
        await client.sendEvent(new Message(all));
        await client.sendEvent(new Message(large));
        await client.sendEvent(new Message(''));
        const events = await telemetry(device.id, 3);
        assert.ok(events[0].data.equals(all));
        assert.ok(events[1].data.equals(large));
        assert.strictEqual(events[2].data.length, 0);
    });

    test(`${name}: many messages at once are all acknowledged and keep their order`, async (t) => {
        const device = await createDevice(id('many'));
        const client = deviceClient(t, device.connectionString, Transport);
        const count = 300;
        await client.open();
        await Promise.all(Array.from({ length: count }, (_, i) => client.sendEvent(new Message(`${i}`))));
        const events = await telemetry(device.id, count);
        const order = events.map((e) => Number(e.data));
        assert.deepStrictEqual(order, Array.from({ length: count }, (_, i) => i));
    });

    test(`${name}: a device comes and goes`, async (t) => {
        const device = await createDevice(id('again'));
        for (let i = 0; i < 5; i++) {
            const client = deviceClient(t, device.connectionString, Transport);
            await client.open();
            await client.sendEvent(new Message(`${i}`));
            await client.close();
        }
        assert.strictEqual((await telemetry(device.id, 5)).length, 5);
    });
}
