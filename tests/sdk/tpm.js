// A TPM 2.0 of the test's own: swtpm, and before it the framing of the simulator's two ports, which is what Microsoft's TPM library speaks
// where there is no /dev/tpm0.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { Tpm } = require('tss.js');
const { TpmSecurityClient } = require('azure-iot-security-tpm');

const { until } = require('./harness');

// The simulator's commands; each is a number of 4 bytes.
const POWER_ON = 1;
const SEND_COMMAND = 8;
const NV_ON = 11;
const HANDSHAKE = 15;

const HEADER = 10; // of a TPM response: tag, size, code

function number(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
}

// Calls TAKE with all that SOCKET has given until it takes no more: it returns how many bytes it used.
function reading(socket, take) {
    let pending = Buffer.alloc(0);
    socket.on('data', (data) => {
        pending = Buffer.concat([pending, data]);
        for (let used = -1; used !== 0 && pending.length > 0;) {
            used = take(pending);
            pending = pending.subarray(used);
        }
    });
}

// The command port: what is framed goes to TPM and its answer back.
function serveCommands(client, tpm) {
    reading(tpm, (data) => {
        if (data.length < HEADER || data.length < data.readUInt32BE(2)) {
            return 0;
        }
        const size = data.readUInt32BE(2);
        client.write(Buffer.concat([number(size), data.subarray(0, size), number(0)]));
        return size;
    });
    reading(client, (data) => {
        if (data.length >= 8 && data.readUInt32BE(0) === HANDSHAKE) {
            client.write(Buffer.concat([number(1), number(0), number(0)]));
            return 8;
        }
        if (data.length < 9 || data.readUInt32BE(0) !== SEND_COMMAND) {
            return 0;
        }
        const size = data.readUInt32BE(5);
        if (data.length < 9 + size) {
            return 0;
        }
        tpm.write(data.subarray(9, 9 + size));
        return 9 + size;
    });
}

// The platform port: power and memory are always on.
function servePlatform(client) {
    reading(client, (data) => {
        if (data.length < 4 || ![POWER_ON, NV_ON].includes(data.readUInt32BE(0))) {
            return 0;
        }
        client.write(number(0));
        return 4;
    });
}

function listen(t, port, serve) {
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        serve(socket);
    });
    t.after(() => server.close());
    return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}

function tryConnect(port) {
    return new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
        socket.on('error', () => resolve(null));
    });
}

let nextPort = 2321;

// A security client of a new TPM, which is gone with the case.
async function newTpm(t, registrationId) {
    const port = nextPort;
    const [raw, control] = [port + 2, port + 3];
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-tpm-'));
    nextPort += 4;
    const program = spawn('swtpm', ['socket', '--tpm2', '--tpmstate', `dir=${dir}`,
        '--server', `type=tcp,port=${raw},bindaddr=127.0.0.1`, '--ctrl', `type=tcp,port=${control},bindaddr=127.0.0.1`,
        '--flags', 'not-need-init,startup-clear'], { stdio: 'ignore' });
    t.after(() => {
        program.kill();
        fs.rmSync(dir, { recursive: true, force: true });
    });
    const tpm = await until('swtpm', () => tryConnect(raw));
    await listen(t, port, (socket) => serveCommands(socket, tpm));
    await listen(t, port + 1, servePlatform);
    return new TpmSecurityClient(registrationId, new Tpm(true, '127.0.0.1', port));
}

module.exports = { newTpm };
