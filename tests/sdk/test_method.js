// Direct methods: answers, devices that are not there, answers that do not come, limits.
'use strict';

const assert = require('node:assert');
const { test, until } = require('./harness');
const { createDevice, createModule, deviceClient, moduleClient, service, transports } = require('./sandbox');

const LIMIT = 128 * 1024;

// A client that answers METHOD with what ANSWER makes of the payload: [status, payload].
async function answering(client, method, answer) {
    client.onDeviceMethod(method, async (request, response) => {
        const [status, payload] = await answer(request.payload);
        await response.send(status, payload);
    });
    await client.open();
}

async function invoke(target, methodName, payload, options = {}) {
    const params = { methodName, payload, responseTimeoutInSeconds: 10, ...options };
    const { result } = await (Array.isArray(target)
        ? service.invokeDeviceMethod(target[0], target[1], params)
        : service.invokeDeviceMethod(target, params));
    return result;
}

for (const { name, Transport } of transports) {
    test(`${name}: a method is answered with status and payload`, async (t) => {
        const device = await createDevice(`method-${Transport.name}`);
        const client = deviceClient(t, device.connectionString, Transport);
        await answering(client, 'echo', (payload) => [418, { got: payload }]);
        // The subscription may come after the first call: a hub waits for it as long as it was told to.
        const options = { connectTimeoutInSeconds: 10 };
        assert.deepStrictEqual(await invoke(device.id, 'echo', { a: [1, 'zwei', null] }, options), {
            status: 418,
            payload: { got: { a: [1, 'zwei', null] } },
        });
        for (const payload of ['text', 7, true, [], {}]) {
            assert.deepStrictEqual((await invoke(device.id, 'echo', payload)).payload, { got: payload });
        }
    });

    test(`${name}: many calls at once each get their own answer`, async (t) => {
        const device = await createDevice(`methods-${Transport.name}`);
        const client = deviceClient(t, device.connectionString, Transport);
        await answering(client, 'double', (n) => [200, 2 * n]);
        await invoke(device.id, 'double', 0, { connectTimeoutInSeconds: 10 });
        const numbers = Array.from({ length: 40 }, (_, i) => i);
        const results = await Promise.all(numbers.map((n) => invoke(device.id, 'double', n)));
        assert.deepStrictEqual(results.map((r) => r.payload), numbers.map((n) => 2 * n));
    });
}

test('without a payload a device sees null', async (t) => {
    const device = await createDevice('method-null');
    const client = deviceClient(t, device.connectionString);
    let seen;
    await answering(client, 'none', (payload) => [200, (seen = payload)]);
    const result = await invoke(device.id, 'none', undefined, { connectTimeoutInSeconds: 10 });
    assert.strictEqual(seen, null);
    assert.strictEqual(result.payload, null);
});

test("a module's method is its own", async (t) => {
    const device = await createDevice('method-module');
    const module = await createModule(device.id, 'worker');
    const client = moduleClient(t, module.connectionString);
    client.onMethod('work', (request, response) => response.send(200, { did: request.payload }));
    await client.open();
    const result = await invoke([device.id, module.id], 'work', 'this', { connectTimeoutInSeconds: 10 });
    assert.deepStrictEqual(result, { status: 200, payload: { did: 'this' } });
    await assert.rejects(invoke(device.id, 'work', 'that'), (error) => error.response.statusCode === 404);
});

test('payloads up to the limit pass both ways, larger ones are refused', async (t) => {
    const device = await createDevice('method-limit');
    const client = deviceClient(t, device.connectionString);
    await answering(client, 'echo', (payload) => [200, payload]);
    const most = 'x'.repeat(LIMIT - 2); // with its quotes
    const result = await invoke(device.id, 'echo', most, { connectTimeoutInSeconds: 10 });
    assert.strictEqual(result.payload, most);
    await assert.rejects(
        invoke(device.id, 'echo', `${most}x`),
        (error) => [400, 413].includes(error.response.statusCode));
});

test('a device that is not there is 404, at once', async () => {
    const device = await createDevice('method-offline');
    const begin = Date.now();
    await assert.rejects(invoke(device.id, 'any'), (error) => error.response.statusCode === 404);
    assert.ok(Date.now() - begin < 4000);
});

test('an unknown device is DeviceNotFound', async () => {
    await assert.rejects(invoke('nobody', 'any'), { name: 'DeviceNotFoundError' });
});

test('a device that comes within the connect time-out gets the call', async (t) => {
    const device = await createDevice('method-late');
    const client = deviceClient(t, device.connectionString);
    const call = invoke(device.id, 'hello', null, { connectTimeoutInSeconds: 15 });
    await answering(client, 'hello', () => [200, 'late']);
    assert.strictEqual((await call).payload, 'late');
});

test('a device that does not come within the connect time-out is 404', async () => {
    const device = await createDevice('method-never');
    const begin = Date.now();
    await assert.rejects(
        invoke(device.id, 'hello', null, { connectTimeoutInSeconds: 2, responseTimeoutInSeconds: 5 }),
        (error) => error.response.statusCode === 404);
    assert.ok(Date.now() - begin >= 1900);
});

test('an answer that does not come is 504', async (t) => {
    const device = await createDevice('method-silent');
    const client = deviceClient(t, device.connectionString);
    let asked = 0;
    client.onDeviceMethod('mute', () => asked++);
    await client.open();
    await assert.rejects(
        invoke(device.id, 'mute', null, { connectTimeoutInSeconds: 10, responseTimeoutInSeconds: 5 }),
        { name: 'GatewayTimeoutError' });
    assert.strictEqual(asked, 1);
});

test('a device that leaves before it answers fails the call', async (t) => {
    const device = await createDevice('method-leaves');
    const client = deviceClient(t, device.connectionString);
    let asked = false;
    client.onDeviceMethod('bye', () => (asked = true));
    await client.open();
    const call = assert.rejects(
        invoke(device.id, 'bye', null, { connectTimeoutInSeconds: 10, responseTimeoutInSeconds: 6 }),
        (error) => [404, 504].includes(error.response.statusCode));
    await until('the call', () => asked);
    await client.close();
    await call;
});

test('time-outs beyond what IoT Hub allows are refused', async () => {
    const device = await createDevice('method-times');
    for (const options of [{ responseTimeoutInSeconds: 4 }, { responseTimeoutInSeconds: 301 }, { connectTimeoutInSeconds: 301 }]) {
        await assert.rejects(invoke(device.id, 'any', null, options), { name: 'ArgumentError' });
    }
});
