// Twins from both sides: what a device reports, what a service asks for, and when each gets to know.
'use strict';

const assert = require('node:assert');
const { test, until } = require('./harness');
const {
    createDevice, createModule, deviceClient, moduleClient, registry, rest, transports,
} = require('./sandbox');

async function openTwin(t, device, Transport) {
    const client = deviceClient(t, device.connectionString, Transport);
    await client.open();
    return { client, twin: await client.getTwin() };
}

// SDK calls that want a callback.
function report(twin, patch) {
    return new Promise((resolve, reject) => {
        twin.properties.reported.update(patch, (error) => (error ? reject(error) : resolve()));
    });
}

async function desire(deviceId, desired, etag = '*') {
    const { responseBody } = await registry.updateTwin(deviceId, { properties: { desired } }, etag);
    return responseBody;
}

async function serviceTwin(deviceId) {
    return (await registry.getTwin(deviceId)).responseBody;
}

// What is pushed to TWIN from now on. The SDK subscribes without saying when it is done, and begins with what it has.
async function watchDesired(twin, deviceId) {
    const deltas = [];
    twin.on('properties.desired', (delta) => deltas.push(delta));
    await until('the subscription', async () => {
        await desire(deviceId, { probe: deltas.length });
        return deltas.length > 1;
    });
    deltas.length = 0;
    return deltas;
}

for (const { name, Transport } of transports) {
    const id = (text) => `twin-${text}-${Transport.name}`;

    test(`${name}: a new twin is empty and has version 1`, async (t) => {
        const device = await createDevice(id('new'));
        const { twin } = await openTwin(t, device, Transport);
        assert.strictEqual(twin.properties.desired.$version, 1);
        assert.strictEqual(twin.properties.reported.$version, 1);
        assert.deepStrictEqual(Object.keys(twin.properties.desired), ['$version']);
    });

    test(`${name}: what a device reports is in the service's twin`, async (t) => {
        const device = await createDevice(id('report'));
        const { twin } = await openTwin(t, device, Transport);
        await report(twin, { fw: { version: '1.2', build: 7 }, gone: 'soon', list: [1, { a: 2 }] });
        await report(twin, { fw: { build: 8 }, gone: null });
        const { properties } = await serviceTwin(device.id);
        assert.deepStrictEqual(properties.reported.fw, { version: '1.2', build: 8 });
        assert.deepStrictEqual(properties.reported.list, [1, { a: 2 }]);
        assert.ok(!('gone' in properties.reported));
        assert.strictEqual(properties.reported.$version, 3);
        assert.ok(Date.parse(properties.reported.$metadata.fw.build.$lastUpdated) > 0);
    });

    test(`${name}: what a service desires is pushed, null where it is removed`, async (t) => {
        const device = await createDevice(id('desire'));
        await desire(device.id, { interval: 60, old: true });
        const { twin } = await openTwin(t, device, Transport);
        assert.strictEqual(twin.properties.desired.interval, 60);
        const deltas = await watchDesired(twin, device.id);
        await desire(device.id, { interval: 30, old: null, nested: { a: { b: 'c' } } });
        const delta = await until('the push', () => deltas.find((d) => d.interval === 30));
        assert.strictEqual(delta.old, null);
        assert.deepStrictEqual(delta.nested, { a: { b: 'c' } });
        assert.strictEqual(delta.$version, (await serviceTwin(device.id)).properties.desired.$version);
        assert.strictEqual(twin.properties.desired.interval, 30);
        assert.ok(!('old' in twin.properties.desired));
    });

    test(`${name}: changes arrive in order, each with the next version`, async (t) => {
        const device = await createDevice(id('order'));
        const { twin } = await openTwin(t, device, Transport);
        const deltas = await watchDesired(twin, device.id);
        const first = (await serviceTwin(device.id)).properties.desired.$version + 1;
        for (let i = 0; i < 20; i++) {
            await desire(device.id, { n: i });
        }
        const changes = await until('20 pushes', () => {
            const found = deltas.filter((d) => 'n' in d);
            return found.length === 20 && found;
        });
        assert.deepStrictEqual(changes.map((d) => d.n), Array.from({ length: 20 }, (_, i) => i));
        assert.deepStrictEqual(changes.map((d) => d.$version), changes.map((_, i) => first + i));
    });
}

test('a device learns at its next start what was desired meanwhile', async (t) => {
    const device = await createDevice('twin-offline');
    const { client } = await openTwin(t, device);
    await client.close();
    await desire(device.id, { while: 'away' });
    const { twin } = await openTwin(t, device);
    assert.strictEqual(twin.properties.desired.while, 'away');
});

test('a report that IoT Hub does not take is refused and changes nothing', async (t) => {
    const device = await createDevice('twin-limits');
    const { twin } = await openTwin(t, device);
    let deep = 'end';
    for (let i = 0; i < 11; i++) {
        deep = { deep };
    }
    const refused = {
        'a key with a dot': { 'a.b': 1 },
        'a string over 4 KB': { text: 'x'.repeat(4097) },
        '11 levels': { deep },
        'more than 32 KB': Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(4000)])),
    };
    for (const [what, patch] of Object.entries(refused)) {
        await assert.rejects(report(twin, patch), /Error/, what);
    }
    assert.strictEqual((await serviceTwin(device.id)).properties.reported.$version, 1);
});

test('an etag that is no longer true is refused', async () => {
    const device = await createDevice('twin-etag');
    const { etag } = await serviceTwin(device.id);
    await desire(device.id, { n: 1 }, etag);
    await assert.rejects(desire(device.id, { n: 2 }, etag), { name: 'InvalidEtagError' });
    assert.strictEqual((await serviceTwin(device.id)).properties.desired.n, 1);
});

test("a twin's own update and get follow its etag", async () => {
    const device = await createDevice('twin-own');
    const twin = await serviceTwin(device.id);
    await twin.update({ tags: { site: 'lab' }, properties: { desired: { n: 1 } } });
    await twin.update({ tags: { site: null, floor: 2 } });
    await twin.get();
    assert.deepStrictEqual(twin.tags, { floor: 2 });
    assert.strictEqual(twin.properties.desired.n, 1);
});

test('tags are for the service alone', async (t) => {
    const device = await createDevice('twin-tags');
    await registry.updateTwin(device.id, { tags: { secret: 'x' } }, '*');
    const { twin } = await openTwin(t, device);
    assert.ok(!JSON.stringify(twin.properties).includes('secret'));
});

test('PUT replaces tags and desired properties, and the device is told what is gone', async (t) => {
    const device = await createDevice('twin-put');
    await desire(device.id, { old: 1, kept: 2 });
    const { twin } = await openTwin(t, device);
    const deltas = await watchDesired(twin, device.id);
    const { status } = await rest('PUT', `/twins/${device.id}`, { tags: {}, properties: { desired: { kept: 3 } } });
    assert.strictEqual(status, 200);
    const delta = await until('the push', () => deltas.find((d) => d.kept === 3));
    assert.strictEqual(delta.old, null);
});

test("a module's twin works both ways and is not its device's", async (t) => {
    const device = await createDevice('twin-with-module');
    const module = await createModule(device.id, 'm1');
    await registry.updateModuleTwin(device.id, module.id, { properties: { desired: { n: 1 } } }, '*');
    const client = moduleClient(t, module.connectionString);
    await client.open();
    const twin = await client.getTwin();
    assert.strictEqual(twin.properties.desired.n, 1);
    await report(twin, { state: 'ok' });
    const { responseBody } = await registry.getModuleTwin(device.id, module.id);
    assert.strictEqual(responseBody.properties.reported.state, 'ok');
    assert.ok(!('state' in (await serviceTwin(device.id)).properties.reported));
});
