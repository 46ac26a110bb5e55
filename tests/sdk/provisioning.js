// What the tests of the provisioning service share: its clients, the three ways to register, and the proof that a registration is good
// for something: a device that is heard.
'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');

const { Message, X509AuthenticationProvider, Client: DeviceClient } = require('azure-iot-device');
const { Mqtt: DeviceMqtt } = require('azure-iot-device-mqtt');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { Mqtt, MqttWs } = require('azure-iot-provisioning-device-mqtt');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { X509Security } = require('azure-iot-security-x509');

const { deviceClient, record, telemetry } = require('./sandbox');

const dps = record.dps || {};
const service = dps.serviceConnectionString
    ? ProvisioningServiceClient.fromConnectionString(dps.serviceConnectionString)
    : null;

const ways = [
    { name: 'HTTP', newTransport: () => new Http() },
    { name: 'MQTT', newTransport: () => new Mqtt() },
    { name: 'MQTT over WebSocket', newTransport: () => new MqttWs() },
];
const [http] = ways;

function newKey() {
    return crypto.randomBytes(64).toString('base64');
}

// The key of one device of an enrolment group.
function derivedKey(groupKey, registrationId) {
    return crypto.createHmac('sha256', Buffer.from(groupKey, 'base64')).update(registrationId).digest('base64');
}

function keyPair(primaryKey = newKey(), secondaryKey = newKey()) {
    return { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey } };
}

// The registration state after SECURITY registered by WAY.
function register(way, security, { idScope = dps.idScope, payload } = {}) {
    const client = ProvisioningDeviceClient.create(dps.host, idScope, way.newTransport(), security);
    if (payload) {
        client.setProvisioningPayload(payload);
    }
    return client.register();
}

function registerKey(way, registrationId, key, options) {
    return register(way, new SymmetricKeySecurityClient(registrationId, key), options);
}

function registerCertificate(way, registrationId, certificate, options) {
    return register(way, new X509Security(registrationId, certificate), options);
}

// The device that STATE speaks of connects with KEY, or with CERTIFICATE, to the hub that it was given.
async function isHeard(t, state, { key, certificate }) {
    let client;
    if (key) {
        client = deviceClient(
            t, `HostName=${state.assignedHub};DeviceId=${state.deviceId};SharedAccessKey=${key}`);
    } else {
        const provider = new X509AuthenticationProvider({
            host: state.assignedHub, deviceId: state.deviceId, x509: certificate,
        });
        client = DeviceClient.fromAuthenticationProvider(provider, DeviceMqtt);
        t.after(() => client.close());
    }
    await client.open();
    await client.sendEvent(new Message('provisioned'));
    const [event] = await telemetry(state.deviceId);
    assert.strictEqual(event.data.toString(), 'provisioned');
}

// Enrolments of the service API, gone again with the case.
async function enrol(t, enrollment) {
    const { responseBody } = await service.createOrUpdateIndividualEnrollment({
        provisioningStatus: 'enabled', ...enrollment,
    });
    t.after(() => service.deleteIndividualEnrollment(enrollment.registrationId));
    return responseBody;
}

async function enrolGroup(t, group) {
    const { responseBody } = await service.createOrUpdateEnrollmentGroup({ provisioningStatus: 'enabled', ...group });
    t.after(() => service.deleteEnrollmentGroup(group.enrollmentGroupId));
    return responseBody;
}

module.exports = {
    dps, http, service, ways,
    derivedKey, enrol, enrolGroup, isHeard, keyPair, newKey, register, registerCertificate, registerKey,
};
