/**
 * Tells beatrelay that this spreadsheet was edited, so that it is read at once and not only on its schedule.
 *
 * Set up once: Extensions > Apps Script, paste this file, then Project Settings > Script properties:
 *   HINT_URL     https://your-relay.example/webhooks/sheets/songs   (the sheet's name in beatrelay.toml)
 *   HINT_SECRET  whsec_...                                          (its push_secret)
 * Then run `install` once and allow what Google asks for. To see what happens: Executions, in the menu on the left.
 *
 * Only the number of a row is sent; the relay reads the sheet itself.
 */

/** Run once: from then on each edit and each answer of a form is told. Running it again changes nothing. */
function install() {
  ScriptApp.getProjectTriggers().forEach(function (trigger) {
    if (trigger.getHandlerFunction() === 'tellRelay') ScriptApp.deleteTrigger(trigger);
  });
  var spreadsheet = SpreadsheetApp.getActive();
  ScriptApp.newTrigger('tellRelay').forSpreadsheet(spreadsheet).onEdit().create();
  ScriptApp.newTrigger('tellRelay').forSpreadsheet(spreadsheet).onFormSubmit().create();
}

/** Called by Google after an edit or an answer. What scripts and the relay write calls nothing, so it cannot go round. */
function tellRelay(event) {
  var row = event && event.range ? event.range.getRow() : 0;
  var request = signed(JSON.stringify({ row: row }), Utilities.getUuid(), Math.floor(Date.now() / 1000));
  var response = UrlFetchApp.fetch(property('HINT_URL'), request);
  if (response.getResponseCode() >= 300) {
    throw new Error('The relay answered ' + response.getResponseCode() + ': ' + response.getContentText());
  }
}

/** The request, signed as Standard Webhooks: HMAC-SHA256 over id, time and body, by the bytes behind whsec_. */
function signed(body, id, seconds) {
  var key = Utilities.base64Decode(property('HINT_SECRET').replace(/^whsec_/, ''));
  var message = Utilities.newBlob(id + '.' + seconds + '.' + body).getBytes();
  var signature = Utilities.base64Encode(Utilities.computeHmacSha256Signature(message, key));
  return {
    method: 'post',
    contentType: 'application/json',
    payload: body,
    muteHttpExceptions: true,
    headers: { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': 'v1,' + signature }
  };
}

function property(name) {
  var value = PropertiesService.getScriptProperties().getProperty(name);
  if (!value) throw new Error('Set the script property ' + name + ' (Project Settings > Script properties).');
  return value;
}
