// How a connection ends, and what an SDK makes of it: a second login, a removed or disabled device, a token's end, a hub that is killed.
'use strict';

const assert = require('node:assert');
const { Client: DeviceClient, Message, SharedAccessKeyAuthenticationProvider } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { event, test, until } = require('./harness');
const {
    createDevice, createModule, deviceClient, host, moduleClient, registry, restartHub, service, telemetry,
    token, tokenClient, transports,
} = require('./sandbox');

// Says `disconnect` once instead of coming back by itself.
function onceOnly(client) {
    client.setRetryPolicy(new NoRetry());
    return client;
}

async function connected(deviceId) {
    return (await registry.get(deviceId)).responseBody.connectionState === 'Connected';
}

for (const { name, Transport } of transports) {
    const id = (text) => `end-${text}-${Transport.name}`;

    test(`${name}: a second login ends the first`, async (t) => {
        const device = await createDevice(id('takeover'));
        const first = onceOnly(deviceClient(t, device.connectionString, Transport));
        const second = deviceClient(t, device.connectionString, Transport);
        await first.open();
        const ended = event(first, 'disconnect');
        await second.open();
        await ended;
        await second.sendEvent(new Message('second'));
        const [heard] = await telemetry(device.id);
        assert.strictEqual(heard.data.toString(), 'second');
        assert.ok(await connected(device.id));
    });

    test(`${name}: a device that is deleted is cut off at once and stays out`, async (t) => {
        const device = await createDevice(id('deleted'));
        const client = onceOnly(deviceClient(t, device.connectionString, Transport));
        await client.open();
        const ended = event(client, 'disconnect', 2000);
        await registry.delete(device.id);
        await ended;
        await assert.rejects(client.open());
    });

    test(`${name}: a device that is disabled is cut off at once`, async (t) => {
        const device = await createDevice(id('disabled'));
        const client = onceOnly(deviceClient(t, device.connectionString, Transport));
        await client.open();
        const ended = event(client, 'disconnect', 2000);
        await registry.update({ deviceId: device.id, status: 'disabled', statusReason: 'stolen' });
        await ended;
        await assert.rejects(client.open());
        assert.strictEqual((await registry.get(device.id)).responseBody.statusReason, 'stolen');
    });

    test(`${name}: a module goes with its device`, async (t) => {
        const device = await createDevice(id('parent'));
        const module = await createModule(device.id, 'child');
        const client = onceOnly(moduleClient(t, module.connectionString, Transport));
        await client.open();
        const ended = event(client, 'disconnect', 2000);
        await registry.delete(device.id);
        await ended;
    });

    test(`${name}: the end of its token ends the connection`, async (t) => {
        const device = await createDevice(id('token'));
        // A hub allows for clocks that are 5 minutes off: this one has seconds left.
        const text = token(`${host}/devices/${device.id}`, device.primaryKey, { seconds: 4 - 300 });
        const client = onceOnly(tokenClient(t, device.id, text, Transport));
        await client.open();
        await event(client, 'disconnect', 8000);
    });

    test(`${name}: a client that renews its token stays`, async (t) => {
        const device = await createDevice(id('renewal'));
        const provider = SharedAccessKeyAuthenticationProvider.fromConnectionString(device.connectionString, 4, 2);
        const client = DeviceClient.fromAuthenticationProvider(provider, Transport);
        let renewals = 0;
        t.after(() => client.close());
        provider.on('newTokenAvailable', () => renewals++);
        client.on('disconnect', (reason) => assert.fail(`disconnected: ${reason}`));
        await client.open();
        await until('three renewals', () => renewals >= 3, 12000);
        await client.sendEvent(new Message('still here'));
        await telemetry(device.id);
    });

    test(`${name}: a client that only keeps itself alive stays`, async (t) => {
        const device = await createDevice(id('alive'));
        const client = onceOnly(deviceClient(t, device.connectionString, Transport));
        client.on('disconnect', (reason) => assert.fail(`disconnected: ${reason}`));
        await client.setOptions({ keepalive: 1 });
        await client.open();
        await new Promise((resolve) => setTimeout(resolve, 4000));
        assert.ok(await connected(device.id));
    });

    test(`${name}: the hub knows who is connected`, async (t) => {
        const device = await createDevice(id('state'));
        const client = deviceClient(t, device.connectionString, Transport);
        assert.ok(!(await connected(device.id)));
        await client.open();
        assert.ok(await connected(device.id));
        await client.close();
        await until('disconnected', async () => !(await connected(device.id)));
    });
}

test('a hub that is killed and comes back has lost nothing that it confirmed', async (t) => {
    const device = await createDevice('end-killed');
    const client = deviceClient(t, device.connectionString);
    client.onDeviceMethod('ping', (request, response) => response.send(200, 'pong'));
    await client.open();
    const twin = await client.getTwin();
    await new Promise((resolve, reject) => {
        twin.properties.reported.update({ kept: 1 }, (error) => (error ? reject(error) : resolve()));
    });
    await registry.updateTwin(device.id, { tags: { kept: 2 }, properties: { desired: { kept: 3 } } }, '*');
    await restartHub('SIGKILL');
    const { responseBody: after } = await registry.getTwin(device.id);
    assert.strictEqual(after.properties.reported.kept, 1);
    assert.strictEqual(after.tags.kept, 2);
    assert.strictEqual(after.properties.desired.kept, 3);
    // The SDK comes back by itself, with its method.
    const { result } = await service.invokeDeviceMethod(device.id, {
        methodName: 'ping', connectTimeoutInSeconds: 15, responseTimeoutInSeconds: 5,
    });
    assert.strictEqual(result.payload, 'pong');
    await client.sendEvent(new Message('after'));
    await telemetry(device.id);
}, { alone: true });
