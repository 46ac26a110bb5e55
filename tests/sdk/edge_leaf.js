// A device behind the edge, with Microsoft's SDK: the connection string on standard input has GatewayHostName in it, CA is the file with
// what it trusts. It sends some messages, prints what comes from the cloud, and answers the method "echo".
'use strict';
const fs = require('fs');
const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

const say = (...words) => console.log(words.join(' '));

async function main() {
    const client = Client.fromConnectionString(fs.readFileSync(0, 'utf8').trim(), Mqtt);
    await client.setOptions({ ca: fs.readFileSync(process.env.CA, 'utf8') });
    client.on('message', message => {
        say('message', message.getData().toString());
        client.complete(message, () => {});
    });
    client.onDeviceMethod('echo', (request, response) => response.send(200, { echo: request.payload }, () => {}));
    await client.open();
    const twin = await client.getTwin();
    twin.properties.reported.update({ leaf: true }, error => say('reported', error ? error.name : 'ok'));
    for (let n = 1; n <= 20; n++) await client.sendEvent(new Message(JSON.stringify({ n })));
    say('sent');
}

main().catch(error => {
    say('failed', error.stack);
    process.exit(1);
});
