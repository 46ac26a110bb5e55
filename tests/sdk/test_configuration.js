// Deployments: to one device, and as configurations that find their devices by a condition.
'use strict';

const assert = require('node:assert');
const { test, until } = require('./harness');
const { full, layer } = require('./manifest');
const { createDevice, host, moduleClient, registry } = require('./sandbox');

const EDGE = { capabilities: { iotEdge: true } };

async function edgeDevice(id, tags = {}) {
    await createDevice(id, EDGE);
    await registry.updateTwin(id, { tags }, '*');
}

async function desiredOf(deviceId, moduleId = '$edgeAgent') {
    return (await registry.getModuleTwin(deviceId, moduleId)).responseBody.properties.desired;
}

// A configuration that the case removes again, so that it finds no other case's devices.
async function addConfiguration(t, configuration) {
    t.after(() => registry.removeConfiguration(configuration.id));
    return (await registry.addConfiguration({ schemaVersion: '1.0', labels: {}, ...configuration })).responseBody;
}

async function modulesOf(deviceId) {
    return Object.keys((await desiredOf(deviceId)).modules || {}).sort();
}

// The modules that DEVICEID is to run become NAMES.
function becomes(deviceId, names) {
    return until(`modules ${names}`, async () => {
        const found = await modulesOf(deviceId);
        return JSON.stringify(found) === JSON.stringify(names);
    }).catch(async (error) => {
        throw new Error(`${error.message}, but ${await modulesOf(deviceId)}`);
    });
}

test('a manifest is applied to one device', async () => {
    await edgeDevice('dep-one');
    await registry.applyConfigurationContentOnDevice('dep-one', full({ sensor: 'sensor:1' }, {
        sensor: { 'properties.desired': { interval: 5 } },
    }));
    const agent = await desiredOf('dep-one');
    assert.strictEqual(agent.modules.sensor.settings.image, 'sensor:1');
    assert.strictEqual((await desiredOf('dep-one', '$edgeHub')).schemaVersion, '1.1');
    assert.strictEqual((await desiredOf('dep-one', 'sensor')).interval, 5);
});

test('a second manifest replaces the first', async () => {
    await edgeDevice('dep-two');
    await registry.applyConfigurationContentOnDevice('dep-two', full({ aa: 'a:1', bb: 'b:1' }));
    const { $version: before } = await desiredOf('dep-two');
    await registry.applyConfigurationContentOnDevice('dep-two', full({ bb: 'b:2' }));
    const after = await desiredOf('dep-two');
    assert.deepStrictEqual(Object.keys(after.modules), ['bb']);
    assert.strictEqual(after.$version, before + 1);
});

test('the agent is told what is gone', async (t) => {
    await edgeDevice('dep-push');
    await registry.applyConfigurationContentOnDevice('dep-push', full({ old: 'old:1' }));
    const { responseBody: module } = await registry.getModule('dep-push', '$edgeAgent');
    const { primaryKey } = module.authentication.symmetricKey;
    const agent = moduleClient(
        t, `HostName=${host};DeviceId=dep-push;ModuleId=$edgeAgent;SharedAccessKey=${primaryKey}`);
    await agent.open();
    const twin = await agent.getTwin();
    const deltas = [];
    twin.on('properties.desired', (delta) => deltas.push(JSON.stringify(delta)));
    let version = 0;
    await until('a push', async () => {
        await registry.applyConfigurationContentOnDevice('dep-push', full({ new: `new:${++version}` }));
        return deltas.length > 1;
    });
    await registry.applyConfigurationContentOnDevice('dep-push', full({}));
    await until('the removal', () => deltas.some((delta) => delta.includes('"new":null')));
});

test('a manifest that cannot work is refused, and says where', async () => {
    await edgeDevice('dep-bad');
    const noImage = full({ cam: 'cam:1' });
    delete noImage.modulesContent.$edgeAgent['properties.desired'].modules.cam.settings.image;
    const bad = { '{}': {}, 'a module without an image': noImage, 'a name with a space': full({ 'a b': 'a:1' }) };
    for (const [what, manifest] of Object.entries(bad)) {
        await assert.rejects(
            registry.applyConfigurationContentOnDevice('dep-bad', manifest), { name: 'ArgumentError' }, what);
    }
    await assert.rejects(registry.applyConfigurationContentOnDevice('dep-bad', noImage), /modules\.cam/);
    assert.strictEqual((await desiredOf('dep-bad')).$version, 1);
});

test('a manifest for an unknown device is DeviceNotFound', async () => {
    await assert.rejects(
        registry.applyConfigurationContentOnDevice('dep-nobody', full()), { name: 'DeviceNotFoundError' });
});

test('a configuration is made, read, listed, changed and removed', async (t) => {
    const made = await addConfiguration(t, {
        id: 'conf-crud', content: full(), targetCondition: "tags.conf = 'crud'", priority: 10, labels: { who: 'me' },
        metrics: { queries: { all: "SELECT deviceId FROM devices WHERE tags.conf = 'crud'" } },
    });
    assert.strictEqual(made.id, 'conf-crud');
    assert.strictEqual(made.priority, 10);
    assert.deepStrictEqual(made.labels, { who: 'me' });
    assert.ok(Date.parse(made.createdTimeUtc) > 0 && made.etag.length > 0);

    const { responseBody: read } = await registry.getConfiguration('conf-crud');
    assert.deepStrictEqual(read.content, full());
    const { responseBody: list } = await registry.getConfigurations();
    assert.ok(list.some((c) => c.id === 'conf-crud'));

    await registry.updateConfiguration({ ...read, priority: 20 });
    await assert.rejects(registry.updateConfiguration({ ...read, priority: 30 }), { name: 'InvalidEtagError' });
    await registry.updateConfiguration({ ...read, priority: 40 }, true);
    assert.strictEqual((await registry.getConfiguration('conf-crud')).responseBody.priority, 40);

    await assert.rejects(registry.addConfiguration({ id: 'conf-crud', content: full() }), (e) => e.response.statusCode === 409);
    await registry.removeConfiguration('conf-crud');
    await assert.rejects(registry.getConfiguration('conf-crud'), (e) => e.response.statusCode === 404);
});

test('a configuration reaches the devices of its condition and no others', async (t) => {
    await edgeDevice('conf-in', { group: 'in' });
    await edgeDevice('conf-out', { group: 'out' });
    await addConfiguration(t, {
        id: 'conf-target', content: full({ cam: 'cam:1' }), targetCondition: "tags.group = 'in'", priority: 5,
    });
    await becomes('conf-in', ['cam']);
    assert.deepStrictEqual(await modulesOf('conf-out'), []);
    const { responseBody: twin } = await registry.getModuleTwin('conf-in', '$edgeAgent');
    assert.match(JSON.stringify(twin.configurations || {}), /conf-target/);
});

test('a device that gets the tag later gets the configuration', async (t) => {
    await edgeDevice('conf-later');
    await addConfiguration(t, {
        id: 'conf-tag', content: full({ cam: 'cam:1' }), targetCondition: "tags.later = true", priority: 5,
    });
    await registry.updateTwin('conf-later', { tags: { later: true } }, '*');
    await becomes('conf-later', ['cam']);
});

test('the higher priority wins, and the lower one returns when it goes', async (t) => {
    await edgeDevice('conf-rank', { rank: true });
    const targetCondition = 'tags.rank = true';
    await addConfiguration(t, { id: 'conf-low', content: full({ low: 'low:1' }), targetCondition, priority: 1 });
    await becomes('conf-rank', ['low']);
    await addConfiguration(t, { id: 'conf-high', content: full({ high: 'high:1' }), targetCondition, priority: 2 });
    await becomes('conf-rank', ['high']);
    await registry.removeConfiguration('conf-high');
    await becomes('conf-rank', ['low']);
});

test('layers are laid over the whole deployment by priority', async (t) => {
    await edgeDevice('conf-layers', { layers: true });
    const targetCondition = 'tags.layers = true';
    await addConfiguration(t, { id: 'conf-base', content: full({ base: 'base:1' }), targetCondition, priority: 1 });
    await addConfiguration(t, {
        id: 'conf-layer-1', content: layer({ extra: 'extra:1', base: 'base:2' }, { up: 'FROM /messages/* INTO $upstream' }),
        targetCondition, priority: 2,
    });
    await addConfiguration(t, { id: 'conf-layer-2', content: layer({ extra: 'extra:2' }), targetCondition, priority: 3 });
    await becomes('conf-layers', ['base', 'extra']);
    const images = async () => {
        const { modules } = await desiredOf('conf-layers');
        return [modules.base.settings.image, modules.extra && modules.extra.settings.image];
    };
    await until('the highest layer', async () => JSON.stringify(await images()) === '["base:2","extra:2"]');
    assert.strictEqual((await desiredOf('conf-layers', '$edgeHub')).routes.up, 'FROM /messages/* INTO $upstream');
    await registry.removeConfiguration('conf-layer-2');
    await until('the layer below', async () => JSON.stringify(await images()) === '["base:2","extra:1"]');
});

test('device configurations set desired properties', async (t) => {
    await createDevice('conf-device');
    await registry.updateTwin('conf-device', { tags: { plain: true } }, '*');
    await addConfiguration(t, {
        id: 'conf-desired', content: { deviceContent: { 'properties.desired.climate': { min: 19 } } },
        targetCondition: 'tags.plain = true', priority: 1,
    });
    await until('the property', async () => {
        const { responseBody: twin } = await registry.getTwin('conf-device');
        return twin.properties.desired.climate && twin.properties.desired.climate.min === 19;
    });
});

test('metrics count', async (t) => {
    await edgeDevice('conf-metric-1', { metric: true });
    await edgeDevice('conf-metric-2', { metric: true });
    await addConfiguration(t, {
        id: 'conf-metrics', content: full({ mm: 'm:1' }), targetCondition: 'tags.metric = true', priority: 1,
        metrics: { queries: { mine: 'SELECT deviceId FROM devices WHERE tags.metric = true' } },
    });
    const read = await until('the counts', async () => {
        const { responseBody } = await registry.getConfiguration('conf-metrics');
        return responseBody.systemMetrics.results.targetedCount === 2 && responseBody;
    });
    assert.strictEqual(read.systemMetrics.results.appliedCount, 2);
    assert.strictEqual(read.metrics.results.mine, 2);
});

test('a configuration that cannot work is refused', async () => {
    const bad = [
        { id: 'Conf Bad', content: full() },
        { id: 'conf-bad', content: { modulesContent: { $edgeAgent: { 'properties.desired': { schemaVersion: '9.9' } } } } },
        { id: 'conf-bad', content: full(), targetCondition: 'tags.x = ' },
        { id: 'conf-bad', content: full(), priority: -1 },
    ];
    for (const configuration of bad) {
        await assert.rejects(
            registry.addConfiguration({ schemaVersion: '1.0', ...configuration }),
            { name: 'ArgumentError' }, JSON.stringify(configuration).slice(0, 80));
    }
});
