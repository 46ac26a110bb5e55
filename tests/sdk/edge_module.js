// A module as a customer writes it, with Microsoft's SDK: everything comes from the environment that the runtime gives it. It runs in a
// container. ROLE=source sends COUNT numbered messages to its output; its method "send" asks for others instead. ROLE=sink says what comes
// to its input. Both report what their twin wants, and answer the method "echo". Where /data is, they are killed again and again: they
// write down there what they did, and the source goes on from that, as far as /data/limit lets it.
'use strict';
const fs = require('fs');
const { NoRetry } = require('azure-iot-common');
const { ModuleClient, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

process.on('SIGTERM', () => process.exit(0)); // the first process of a container has no default for it
const say = (...words) => console.log(words.join(' '));
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const killed = fs.existsSync('/data');

function send(client, n, run) {
    const message = new Message(JSON.stringify({ n }));
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    message.properties.add('run', run);
    return client.sendOutputEvent('out', message);
}

let series = 0; // the one that is being sent: the latest that was asked for
async function source(client, { count, every, run }) {
    const mine = ++series;
    let n = 0;
    while (n < count && mine === series) {
        n++;
        for (;;) {
            try {
                await send(client, n, run);
                break;
            } catch (error) {
                say('again', n, error.name);
                await pause(500);
            }
        }
        await pause(every);
    }
    say('sent', n, run);
}

function numberIn(file, otherwise) {
    try {
        return Number(fs.readFileSync(file, 'utf8').trim().split('\n').pop());
    } catch (error) {
        return otherwise;
    }
}

// Some at a time. After a failure one goes alone, from the first on that was not acknowledged, until a connection is there: this keeps the
// order, the SDK's own attempts do not.
async function sourceThatIsKilled(client) {
    const count = Number(process.env.COUNT), file = '/data/source';
    let acknowledged = numberIn(file, 0), together = 1;
    client.setRetryPolicy(new NoRetry());
    client.on('disconnect', () => { together = 1; });
    while (acknowledged < count) {
        const limit = Math.min(count, acknowledged + together, numberIn('/data/limit', count));
        const sent = [];
        for (let n = acknowledged + 1; n <= limit; n++) sent.push(send(client, n, '1'));
        const failed = (await Promise.allSettled(sent)).findIndex(result => result.status === 'rejected');
        const done = failed < 0 ? sent.length : failed;
        if (done) {
            acknowledged += done;
            together = 20;
            fs.appendFileSync(file, `${acknowledged}\n`);
        }
        if (failed >= 0) together = 1;
        await pause(failed < 0 ? 20 : 500);
    }
}

function arrived(input, message) {
    const n = JSON.parse(message.getData()).n;
    if (killed) fs.appendFileSync('/data/sink', `${n}\n`);
    else say('got', input, n, message.properties.getValue('run'));
}

// It listens before it connects: what waits for it comes at once.
async function open() {
    const client = await ModuleClient.fromEnvironment(Mqtt);
    client.on('error', error => say('error', error.name));
    client.on('inputMessage', (input, message) => {
        arrived(input, message);
        client.complete(message, () => {});
    });
    client.onMethod('echo', (request, response) => response.send(200, { echo: request.payload }, () => say('method', request.methodName)));
    client.onMethod('send', (request, response) => {
        response.send(200, null, () => {});
        source(client, request.payload);
    });
    await client.open();
    return client;
}

// The runtime or the edge hub may be away just now.
async function connect() {
    for (;;) {
        try {
            return await open();
        } catch (error) {
            say('again', error.message);
            await pause(1000);
        }
    }
}

async function main() {
    const client = await connect();
    const twin = await client.getTwin();
    twin.on('properties.desired', delta => {
        if (delta.colour === undefined) return;
        say('desired', delta.colour);
        twin.properties.reported.update({ colour: delta.colour }, error => say('reported', error ? error.name : 'ok'));
    });
    say('ready', process.env.IOTEDGE_MODULEID);
    if (process.env.ROLE !== 'source') return;
    if (killed) await sourceThatIsKilled(client);
    else await source(client, { count: Number(process.env.COUNT || 100), every: Number(process.env.EVERY || 20), run: process.env.RUN || '1' });
}

main().catch(error => {
    say('failed', error.stack);
    process.exit(1);
});
