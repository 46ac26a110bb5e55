// Queries as azure-iothub sends them: conditions, modules, pages.
'use strict';

const assert = require('node:assert');
const { test } = require('./harness');
const { createDevice, createModule, deviceClient, registry } = require('./sandbox');

const FLEET = 25;

// Devices q-00 ... with tags, desired properties and a state that the conditions can tell apart.
const fleet = (async () => {
    for (let i = 0; i < FLEET; i++) {
        const id = `q-${String(i).padStart(2, '0')}`;
        await createDevice(id, { status: i === 3 ? 'disabled' : 'enabled', capabilities: { iotEdge: i === 4 } });
        await registry.updateTwin(id, {
            tags: { number: i, site: i % 2 ? 'lab' : 'plant', ...(i === 5 ? { rare: { deep: true } } : {}) },
            properties: { desired: { interval: i * 10 } },
        }, '*');
    }
    await createModule('q-01', 'worker');
    await createModule('q-02', 'worker');
})();

async function ids(condition) {
    await fleet;
    const where = `SELECT * FROM devices WHERE STARTSWITH(deviceId, 'q-')${condition ? ` AND (${condition})` : ''}`;
    return all(where, (twin) => twin.deviceId);
}

// Without a token of its own, the SDK's promise begins at the first page again.
async function all(text, each) {
    const query = registry.createQuery(text, 100);
    const found = [];
    while (query.hasMoreResults) {
        found.push(...(await query.next(query.continuationToken)).result.map(each));
    }
    return found.sort();
}

const ID = (i) => `q-${String(i).padStart(2, '0')}`;

const conditions = [
    ["deviceId = 'q-07'", [7]],
    ["deviceId IN ['q-01', 'q-02', 'q-99']", [1, 2]],
    ["status = 'disabled'", [3]],
    ["status != 'enabled'", [3]],
    ['capabilities.iotEdge = true', [4]],
    ['tags.number = 6', [6]],
    ['tags.number >= 23', [23, 24]],
    ['tags.number < 2', [0, 1]],
    ["tags.site = 'lab' AND tags.number > 20", [21, 23]],
    ["tags.number = 1 OR tags.number = 2", [1, 2]],
    ["NOT (tags.site = 'lab') AND tags.number > 21", [22, 24]],
    ['IS_DEFINED(tags.rare)', [5]],
    ['tags.rare.deep = true', [5]],
    ['properties.desired.interval = 80', [8]],
    ["tags.site = 'nowhere'", []],
];

for (const [condition, numbers] of conditions) {
    test(`WHERE ${condition}`, async () => {
        assert.deepStrictEqual(await ids(condition), numbers.map(ID));
    });
}

test('SELECT * FROM devices gives twins', async () => {
    await fleet;
    const query = registry.createQuery("SELECT * FROM devices WHERE deviceId = 'q-09'");
    const { result: [twin], message } = await query.nextAsTwin();
    assert.strictEqual(message.headers['x-ms-item-type'].toLowerCase(), 'twin');
    assert.deepStrictEqual(twin.tags, { number: 9, site: 'lab' });
    assert.strictEqual(twin.properties.desired.interval, 90);
    assert.strictEqual(query.hasMoreResults, false);
    await twin.update({ tags: { number: 9.5 } });
    assert.strictEqual((await registry.getTwin('q-09')).responseBody.tags.number, 9.5);
    await twin.update({ tags: { number: 9 } });
});

test('keywords may be written in any case', async () => {
    await fleet;
    assert.deepStrictEqual(await all("select * from devices where deviceId = 'q-07'", (twin) => twin.deviceId), ['q-07']);
});

test('WHERE connectionState', async (t) => {
    await fleet;
    const device = await createDevice('q-connected');
    await deviceClient(t, device.connectionString).open();
    assert.deepStrictEqual(await ids("connectionState = 'Connected'"), ['q-connected']);
});

test('WHERE reported', async (t) => {
    await fleet;
    const device = await createDevice('r-reported');
    const client = deviceClient(t, device.connectionString);
    await client.open();
    const twin = await client.getTwin();
    await new Promise((resolve) => twin.properties.reported.update({ fw: { version: '2.1' } }, resolve));
    const text = "SELECT * FROM devices WHERE properties.reported.fw.version = '2.1'";
    assert.deepStrictEqual(await all(text, (found) => found.deviceId), ['r-reported']);
});

test('FROM devices.modules', async () => {
    await fleet;
    const text = "SELECT * FROM devices.modules WHERE moduleId = 'worker'";
    assert.deepStrictEqual(
        await all(text, (twin) => `${twin.deviceId}/${twin.moduleId}`), ['q-01/worker', 'q-02/worker']);
});

test('pages have the size that was asked for and miss nothing', async () => {
    await fleet;
    const query = registry.createQuery("SELECT * FROM devices WHERE tags.site = 'plant'", 4);
    const pages = [];
    while (query.hasMoreResults) {
        pages.push((await query.next(query.continuationToken)).result.map((twin) => twin.deviceId));
    }
    assert.ok(pages.every((page) => page.length <= 4), JSON.stringify(pages));
    assert.ok(pages.length >= 4);
    assert.deepStrictEqual(pages.flat().sort(), Array.from({ length: 13 }, (_, i) => ID(2 * i)));
});

test('a page that was seen can be asked for again', async () => {
    await fleet;
    const text = "SELECT * FROM devices WHERE tags.site = 'plant'";
    const query = registry.createQuery(text, 5);
    await query.next();
    const token = query.continuationToken;
    const second = (await query.next(token)).result.map((twin) => twin.deviceId);
    const again = (await registry.createQuery(text, 5).next(token)).result.map((twin) => twin.deviceId);
    assert.deepStrictEqual(again, second);
});

test('a text that is no query is 400', async () => {
    for (const text of ['DROP TABLE devices', 'SELECT * FROM', "SELECT * FROM devices WHERE tags.x = 'open", 'SELECT * FROM devices WHERE (((']) {
        await assert.rejects(registry.createQuery(text).next(), { name: 'ArgumentError' }, text);
    }
});
