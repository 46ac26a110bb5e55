// Devices that show a certificate: their own, known by its thumbprint, or one of an authority that the hub knows.
'use strict';

const assert = require('node:assert');
const { Client: DeviceClient, Message } = require('azure-iot-device');
const certs = require('./certs');
const { test } = require('./harness');
const {
    createDevice, distrustAuthority, host, registry, telemetry, transports, trustAuthority,
} = require('./sandbox');

const REFUSED = /Connection refused: Not authorized/;

const root = certs.authority('Test Root');
const trusted = trustAuthority(root.own);

function selfSigned(primaryThumbprint, secondaryThumbprint = primaryThumbprint) {
    return { authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint, secondaryThumbprint } } };
}
const BY_AUTHORITY = { authentication: { type: 'certificateAuthority' } };

async function client(t, id, { cert, key }, Transport) {
    const made = DeviceClient.fromConnectionString(`HostName=${host};DeviceId=${id};x509=true`, Transport);
    t.after(() => made.close());
    await made.setOptions({ cert, key });
    return made;
}

async function isHeard(t, id, certificate, Transport) {
    const device = await client(t, id, certificate, Transport);
    await device.open();
    await device.sendEvent(new Message('x509'));
    await telemetry(id);
}

async function isRefused(t, id, certificate, Transport) {
    const device = await client(t, id, certificate, Transport);
    await assert.rejects(device.open(), REFUSED);
}

for (const { name, Transport } of transports) {
    const id = (text) => `x-${text}-${Transport.name}`;

    test(`${name}: a device is known by the SHA-1 thumbprint of its own certificate`, async (t) => {
        const own = certs.device(id('sha1'));
        await createDevice(id('sha1'), selfSigned(certs.thumbprints(own).sha1));
        await isHeard(t, id('sha1'), own, Transport);
    });

    test(`${name}: a device is known by the SHA-256 thumbprint of its second certificate`, async (t) => {
        const first = certs.device(id('sha256'));
        const second = certs.device('the name does not matter');
        await createDevice(
            id('sha256'), selfSigned(certs.thumbprints(first).sha256, certs.thumbprints(second).sha256.toLowerCase()));
        await isHeard(t, id('sha256'), second, Transport);
    });

    test(`${name}: a device is known by its authority`, async (t) => {
        await trusted;
        await createDevice(id('ca'), BY_AUTHORITY);
        await isHeard(t, id('ca'), certs.device(id('ca'), root), Transport);
    });

    test(`${name}: a device is known by its authority with one in between`, async (t) => {
        await trusted;
        const between = certs.authority('Test Intermediate', root);
        await createDevice(id('chain'), BY_AUTHORITY);
        await isHeard(t, id('chain'), certs.device(id('chain'), between), Transport);
    });

    test(`${name}: another certificate than the one of the thumbprint is refused`, async (t) => {
        const own = certs.device(id('other'));
        await createDevice(id('other'), selfSigned(certs.thumbprints(own).sha1));
        await isRefused(t, id('other'), certs.device(id('other')), Transport);
    });

    test(`${name}: an authority's certificate for another name is refused`, async (t) => {
        await trusted;
        await createDevice(id('name'), BY_AUTHORITY);
        await isRefused(t, id('name'), certs.device(id('NAME'), root), Transport);
    });

    test(`${name}: an unknown authority is refused`, async (t) => {
        await createDevice(id('stranger'), BY_AUTHORITY);
        const stranger = certs.authority('Test Root'); // the same name, another key
        await isRefused(t, id('stranger'), certs.device(id('stranger'), stranger), Transport);
        await isRefused(t, id('stranger'), certs.device(id('stranger')), Transport);
    });

    test(`${name}: a certificate does not open what wants a key`, async (t) => {
        await trusted;
        await createDevice(id('wants-key'));
        await isRefused(t, id('wants-key'), certs.device(id('wants-key'), root), Transport);
    });

    test(`${name}: a disabled device is refused`, async (t) => {
        const own = certs.device(id('disabled'));
        await createDevice(id('disabled'), { ...selfSigned(certs.thumbprints(own).sha1), status: 'disabled' });
        await isRefused(t, id('disabled'), own, Transport);
    });
}

test('a key does not open what wants a certificate', async (t) => {
    const own = certs.device('x-wants-certificate');
    const key = Buffer.alloc(32, 9).toString('base64');
    await createDevice('x-wants-certificate', {
        authentication: {
            ...selfSigned(certs.thumbprints(own).sha1).authentication,
            symmetricKey: { primaryKey: key, secondaryKey: key },
        },
    });
    const device = DeviceClient.fromConnectionString(
        `HostName=${host};DeviceId=x-wants-certificate;SharedAccessKey=${key}`, transports[0].Transport);
    t.after(() => device.close());
    await assert.rejects(device.open(), REFUSED);
});

test('a thumbprint that is replaced ends the old certificate', async (t) => {
    const old = certs.device('x-rolled');
    const next = certs.device('x-rolled');
    await createDevice('x-rolled', selfSigned(certs.thumbprints(old).sha1));
    await isHeard(t, 'x-rolled', old, transports[0].Transport);
    await registry.update({ deviceId: 'x-rolled', ...selfSigned(certs.thumbprints(next).sha1) });
    await isRefused(t, 'x-rolled', old, transports[0].Transport);
    await isHeard(t, 'x-rolled', next, transports[0].Transport);
});

test('an authority that is removed opens nothing any more', async (t) => {
    const gone = certs.authority('Gone Root');
    const certificate = certs.device('x-gone', gone);
    await createDevice('x-gone', BY_AUTHORITY);
    const thumbprint = await trustAuthority(gone.own);
    await isHeard(t, 'x-gone', certificate, transports[0].Transport);
    await distrustAuthority(thumbprint);
    await isRefused(t, 'x-gone', certificate, transports[0].Transport);
});
