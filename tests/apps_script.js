// Runs an Apps Script file outside of Google: its services are stood in for as far as the script uses them.
// usage: node apps_script.js SCRIPT FUNCTION PROPERTIES [ROW]; prints what was fetched and which triggers were made.
const crypto = require('crypto');
const fs = require('fs');
const vm = require('vm');

const [script, name, properties, row] = process.argv.slice(2);
const values = JSON.parse(properties);
const fetched = [];
const triggers = [];
const signedBytes = (buffer) => Array.from(new Int8Array(buffer));
const making = (handler) => {
  const made = { getHandlerFunction: () => handler, events: '' };
  const builder = {
    forSpreadsheet: () => builder,
    onEdit: () => ((made.events = 'edit'), builder),
    onFormSubmit: () => ((made.events = 'form'), builder),
    create: () => triggers.push(made),
  };
  return builder;
};
const services = {
  PropertiesService: { getScriptProperties: () => ({ getProperty: (key) => values[key] ?? null }) },
  Utilities: {
    getUuid: () => crypto.randomUUID(),
    base64Decode: (text) => signedBytes(Buffer.from(text, 'base64')),
    base64Encode: (bytes) => Buffer.from(Int8Array.from(bytes)).toString('base64'),
    newBlob: (text) => ({ getBytes: () => signedBytes(Buffer.from(text, 'utf8')) }),
    computeHmacSha256Signature: (value, key) =>
      signedBytes(crypto.createHmac('sha256', Buffer.from(Int8Array.from(key))).update(Buffer.from(Int8Array.from(value))).digest()),
  },
  UrlFetchApp: {
    fetch: (url, options) => (fetched.push({ url, ...options }), { getResponseCode: () => 202, getContentText: () => '' }),
  },
  SpreadsheetApp: { getActive: () => ({}) },
  ScriptApp: {
    getProjectTriggers: () => [...triggers],
    deleteTrigger: (gone) => triggers.splice(triggers.indexOf(gone), 1),
    newTrigger: making,
  },
};
const context = vm.createContext(services);
vm.runInContext(fs.readFileSync(script, 'utf8'), context);
for (const each of name.split(',')) context[each](row ? { range: { getRow: () => Number(row) } } : undefined);
console.log(JSON.stringify({ fetched, triggers: triggers.map((made) => [made.getHandlerFunction(), made.events]) }));
