// Messages from the cloud to a device. Azure takes them over AMQP; the sandbox has a form of its own for that side.
'use strict';

const assert = require('node:assert');
const { event, test, until } = require('./harness');
const { createDevice, deviceClient, registry, rest, restartHub, sendToDevice, transports } = require('./sandbox');

async function queued(deviceId) {
    return (await registry.get(deviceId)).responseBody.cloudToDeviceMessageCount;
}

async function send(deviceId, message) {
    const { status, body } = await sendToDevice(deviceId, message);
    assert.ok(status < 300, JSON.stringify(body));
}

// All that CLIENT gets, as it comes; each is completed.
function inbox(client) {
    const messages = [];
    client.on('message', (message) => {
        messages.push(message);
        client.complete(message, () => {});
    });
    return messages;
}

for (const { name, Transport } of transports) {
    const id = (text) => `c2d-${text}-${Transport.name}`;

    test(`${name}: a message arrives with its properties and is done with`, async (t) => {
        const device = await createDevice(id('one'));
        const client = deviceClient(t, device.connectionString, Transport);
        await client.open();
        const arrived = event(client, 'message');
        await send(device.id, {
            body: 'reboot', messageId: 'm-1', correlationId: 'c 2', contentType: 'text/plain',
            properties: { 'with space': 'a/b&c=d', größe: '5' },
        });
        const message = await arrived;
        await client.complete(message);
        assert.strictEqual(message.getData().toString(), 'reboot');
        assert.strictEqual(message.messageId, 'm-1');
        assert.strictEqual(message.correlationId, 'c 2');
        assert.strictEqual(message.contentType, 'text/plain');
        assert.strictEqual(message.to, `/devices/${device.id}/messages/devicebound`);
        assert.strictEqual(message.properties.getValue('with space'), 'a/b&c=d');
        assert.strictEqual(message.properties.getValue('größe'), '5');
        await until('it is done with', async () => (await queued(device.id)) === 0);
    });

    test(`${name}: what was sent while the device was away waits for it, in order`, async (t) => {
        const device = await createDevice(id('away'));
        for (let i = 0; i < 10; i++) {
            await send(device.id, { body: `${i}` });
        }
        assert.strictEqual(await queued(device.id), 10);
        const client = deviceClient(t, device.connectionString, Transport);
        const messages = inbox(client);
        await client.open();
        await until('all messages', () => messages.length === 10);
        assert.deepStrictEqual(messages.map((m) => m.getData().toString()), Array.from({ length: 10 }, (_, i) => `${i}`));
        await until('they are done with', async () => (await queued(device.id)) === 0);
    });

    test(`${name}: a device that no longer listens gets nothing, and all when it does again`, async (t) => {
        const device = await createDevice(id('deaf'));
        const first = deviceClient(t, device.connectionString, Transport);
        const before = inbox(first);
        await first.open();
        await send(device.id, { body: 'one' });
        await until('the first', () => before.length === 1);
        await first.close();
        await send(device.id, { body: 'two' });
        const second = deviceClient(t, device.connectionString, Transport);
        const after = inbox(second);
        await second.open();
        await until('the second', () => after.length === 1);
        assert.strictEqual(after[0].getData().toString(), 'two');
        assert.strictEqual(before.length, 1);
    });
}

test('any bytes arrive whole', async (t) => {
    const device = await createDevice('c2d-bytes');
    const client = deviceClient(t, device.connectionString);
    await client.open();
    const arrived = event(client, 'message');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await send(device.id, { bodyBase64: bytes.toString('base64') });
    assert.ok((await arrived).getData().equals(bytes));
});

test('a message whose time is over does not arrive', async (t) => {
    const device = await createDevice('c2d-expiry');
    await send(device.id, { body: 'old', expiryTimeUtc: new Date(Date.now() + 1500).toISOString() });
    await send(device.id, { body: 'new' });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const client = deviceClient(t, device.connectionString);
    const messages = inbox(client);
    await client.open();
    await until('the other', () => messages.length > 0);
    assert.deepStrictEqual(messages.map((m) => m.getData().toString()), ['new']);
});

test('a queue that is full takes no more', async () => {
    const device = await createDevice('c2d-full');
    for (let i = 0; i < 50; i++) {
        await send(device.id, { body: `${i}` });
    }
    assert.strictEqual((await sendToDevice(device.id, { body: 'too many' })).status, 403);
});

test('a queue can be emptied', async (t) => {
    const device = await createDevice('c2d-purge');
    await send(device.id, { body: 'a' });
    await send(device.id, { body: 'b' });
    const { status, body } = await rest('DELETE', `/devices/${device.id}/commands`);
    assert.strictEqual(status, 200);
    assert.strictEqual(body.totalMessagesPurged, 2);
    assert.strictEqual(body.deviceId, device.id);
    assert.strictEqual(await queued(device.id), 0);
});

test('a message for an unknown device is 404', async () => {
    assert.strictEqual((await sendToDevice('c2d-nobody', { body: 'x' })).status, 404);
});

test('what waits for a device outlives the hub', async (t) => {
    const device = await createDevice('c2d-killed');
    await send(device.id, { body: 'kept' });
    await restartHub('SIGKILL');
    const client = deviceClient(t, device.connectionString);
    const messages = inbox(client);
    await client.open();
    await until('the message', () => messages.length === 1);
    assert.strictEqual(messages[0].getData().toString(), 'kept');
}, { alone: true });
