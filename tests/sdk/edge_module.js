// A module as a customer writes it, with Microsoft's SDK: everything comes from the environment that the runtime gives it. It runs in a
// container (edge_module.sh). ROLE=source sends COUNT numbered messages to its output; its method "send" asks for others instead.
// ROLE=sink prints what comes to its input. Both report what their twin wants, and answer the method "echo".
'use strict';
const { ModuleClient, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

process.on('SIGTERM', () => process.exit(0)); // the first process of a container has no default for it
const say = (...words) => console.log(words.join(' '));
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

let series = 0; // the one that is being sent: the latest that was asked for
async function source(client, { count, every, run }) {
    const mine = ++series;
    let n = 0;
    while (n < count && mine === series) {
        n++;
        const message = new Message(JSON.stringify({ n }));
        message.contentType = 'application/json';
        message.contentEncoding = 'utf-8';
        message.properties.add('run', run);
        for (;;) {
            try {
                await client.sendOutputEvent('out', message);
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

async function main() {
    const client = await ModuleClient.fromEnvironment(Mqtt);
    client.on('error', error => say('error', error.name));
    client.on('inputMessage', (input, message) => {
        say('got', input, JSON.parse(message.getData()).n, message.properties.getValue('run'));
        client.complete(message, () => {});
    });
    client.onMethod('echo', (request, response) => response.send(200, { echo: request.payload }, () => say('method', request.methodName)));
    client.onMethod('send', (request, response) => {
        response.send(200, null, () => {});
        source(client, request.payload);
    });
    await client.open();
    const twin = await client.getTwin();
    twin.on('properties.desired', delta => {
        if (delta.colour === undefined) return;
        say('desired', delta.colour);
        twin.properties.reported.update({ colour: delta.colour }, error => say('reported', error ? error.name : 'ok'));
    });
    say('ready', process.env.IOTEDGE_MODULEID);
    if (process.env.ROLE !== 'source') return;
    await source(client, { count: Number(process.env.COUNT || 100), every: Number(process.env.EVERY || 20), run: process.env.RUN || '1' });
}

main().catch(error => {
    say('failed', error.stack);
    process.exit(1);
});
