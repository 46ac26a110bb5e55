// Certificates by the openssl program: devices' own, authorities, what these sign.
'use strict';

const { execFileSync } = require('node:child_process');
const { X509Certificate } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-certs-'));
const config = path.join(dir, 'openssl.cnf');
process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));
fs.writeFileSync(config, '[req]\ndistinguished_name=dn\n[dn]\n');
let count = 0;

// ISSUER: what signs it, instead of its own key.
function make(name, issuer, extensions) {
    const key = path.join(dir, `${++count}.key`);
    const file = path.join(dir, `${count}.pem`);
    const args = ['req', '-x509', '-config', config, '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
        '-subj', `/CN=${name}`, '-days', '30', '-keyout', key, '-out', file];
    if (issuer) {
        args.push('-CA', issuer.file, '-CAkey', issuer.keyFile);
    }
    for (const extension of extensions) {
        args.push('-addext', extension);
    }
    execFileSync('openssl', args, { stdio: 'pipe' });
    const own = fs.readFileSync(file, 'utf8');
    return {
        file,
        keyFile: key,
        own,
        // What a client shows: itself and whatever stands between it and its root.
        cert: issuer && issuer.isIntermediate ? own + issuer.cert : own,
        key: fs.readFileSync(key, 'utf8'),
    };
}

function authority(name, issuer) {
    const made = make(name, issuer, ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']);
    return { ...made, isIntermediate: Boolean(issuer) };
}

function device(name, issuer) {
    return make(name, issuer, ['basicConstraints=critical,CA:FALSE', 'extendedKeyUsage=clientAuth']);
}

function hex(fingerprint) {
    return fingerprint.replace(/:/g, '');
}

function thumbprints(certificate) {
    const parsed = new X509Certificate(certificate.own);
    return { sha1: hex(parsed.fingerprint), sha256: hex(parsed.fingerprint256) };
}

module.exports = { authority, device, thumbprints };
