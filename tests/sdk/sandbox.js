// What the tests know of the sandbox beside which they run: its record, clients of its service API, devices, tokens, and the two things
// that Azure offers over AMQP only: telemetry that arrived, and messages to a device.
'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');

const {
    Client: DeviceClient, ModuleClient, SharedAccessSignatureAuthenticationProvider,
} = require('azure-iot-device');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');
const { Client: ServiceClient, Registry } = require('azure-iothub');

const { event, until, within } = require('./harness');

const dir = process.env.BERTH_SANDBOX;
const record = JSON.parse(fs.readFileSync(path.join(dir, 'sandbox.json')));
const host = record.host;

// Both ways to the hub's device protocol, for cases that must pass on each.
const transports = [
    { name: 'MQTT', Transport: Mqtt },
    { name: 'MQTT over WebSocket', Transport: MqttWs },
];

const registry = Registry.fromConnectionString(record.serviceConnectionString);
const service = ServiceClient.fromConnectionString(record.serviceConnectionString);

function fields(connectionString) {
    const pairs = connectionString.split(';').map((pair) => [
        pair.slice(0, pair.indexOf('=')),
        pair.slice(pair.indexOf('=') + 1),
    ]);
    return Object.fromEntries(pairs);
}

// A token of our own making, so that each part of it can be wrong. SECONDS from now until it ends.
function token(resource, key, { seconds = 3600, policy } = {}) {
    const sr = encodeURIComponent(resource);
    const se = Math.floor(Date.now() / 1000) + seconds;
    const sig = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${sr}\n${se}`).digest('base64');
    const skn = policy ? `&skn=${policy}` : '';

    return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(sig)}&se=${se}${skn}`;
}

function serviceToken(options) {
    const { SharedAccessKeyName: policy, SharedAccessKey: key } = fields(record.serviceConnectionString);
    return token(host, key, { policy, ...options });
}

// One request of the service API, for what the SDKs have no call for.
function rest(method, target, body, { authorization = serviceToken(), headers = {} } = {}) {
    const answer = new Promise((resolve, reject) => {
        const options = {
            host,
            method,
            path: `${target}${target.includes('?') ? '&' : '?'}api-version=2021-04-12`,
            headers: { Authorization: authorization, 'Content-Type': 'application/json', ...headers },
        };
        const request = https.request(options, (response) => {
            let text = '';
            response.on('data', (data) => (text += data));
            response.on('end', () => {
                resolve({
                    status: response.statusCode,
                    headers: response.headers,
                    body: text ? JSON.parse(text) : null,
                });
            });
        });
        request.on('error', reject);
        request.end(body === undefined ? undefined : JSON.stringify(body));
    });
    return within(10000, `${method} ${target}`, answer);
}

// A device that exists, with what one needs to connect as it.
async function createDevice(id, description = {}) {
    const { responseBody: device } = await registry.create({ deviceId: id, ...description });
    const { primaryKey, secondaryKey } = device.authentication.symmetricKey || {};

    return {
        id,
        primaryKey,
        secondaryKey,
        connectionString: `HostName=${host};DeviceId=${id};SharedAccessKey=${primaryKey}`,
    };
}

async function createModule(deviceId, moduleId, description = {}) {
    const { responseBody: module } = await registry.addModule({ deviceId, moduleId, ...description });
    const { primaryKey } = module.authentication.symmetricKey || {};

    return {
        id: moduleId,
        deviceId,
        primaryKey,
        connectionString: `HostName=${host};DeviceId=${deviceId};ModuleId=${moduleId};SharedAccessKey=${primaryKey}`,
    };
}

// Clients that the case T closes at its end.
function deviceClient(t, connectionString, Transport = Mqtt) {
    const client = DeviceClient.fromConnectionString(connectionString, Transport);
    t.after(() => client.close());
    return client;
}

function moduleClient(t, connectionString, Transport = Mqtt) {
    const client = ModuleClient.fromConnectionString(connectionString, Transport);
    t.after(() => client.close());
    return client;
}

// A client of DEVICEID that shows the token TEXT, whatever that says.
function tokenClient(t, deviceId, text, Transport = Mqtt) {
    const provider = new SharedAccessSignatureAuthenticationProvider({
        host, deviceId, sharedAccessSignature: text,
    });
    const client = DeviceClient.fromAuthenticationProvider(provider, Transport);
    t.after(() => client.close());
    return client;
}

// The first COUNT events of a device, or of a module, each with its body as a buffer.
async function telemetry(deviceId, count = 1, moduleId = undefined) {
    const found = [];
    let after = 0;

    const more = async () => {
        const query = `after=${after}&wait=5&device=${encodeURIComponent(deviceId)}`;
        const { body } = await rest('GET', `/sandbox/events?${query}`);
        for (const e of body.events.filter((e) => e.deviceId === deviceId && e.moduleId === moduleId)) {
            found.push({ ...e, data: Buffer.from(e.bodyBase64, 'base64') });
        }
        after = body.next;
        return found.length >= count;
    };
    await until(`${count} events of ${deviceId}`, more);
    return found;
}

// Queues a message for a device: { body, messageId, properties, ... }.
async function sendToDevice(deviceId, message) {
    return rest('POST', `/sandbox/devices/${encodeURIComponent(deviceId)}/messages/devicebound`, message);
}

// Authorities that sign device certificates. Resolves to the thumbprint, by which one is removed.
async function trustAuthority(certificate) {
    const { status, body } = await rest('POST', '/sandbox/authorities', { certificate });
    assert.ok(status < 300, JSON.stringify(body));
    return body.thumbprint;
}

async function distrustAuthority(thumbprint) {
    const { status, body } = await rest('DELETE', `/sandbox/authorities/${thumbprint}`);
    assert.ok(status < 300, JSON.stringify(body));
}

// The hub ends by SIGNAL and is there again, with the same state, when this resolves. OPTIONS: of its command line.
async function restartHub(signal = 'SIGKILL', options = []) {
    const back = event(process, 'message', 30000);
    process.send({ signal, options });
    await back;
}

module.exports = {
    record, host, registry, service, transports,
    fields, token, serviceToken, rest, restartHub,
    createDevice, createModule, deviceClient, moduleClient, tokenClient,
    telemetry, sendToDevice, trustAuthority, distrustAuthority,
};
