// A Zapier app over a live relay, driven by Zapier's own platform core as Zapier itself would drive it:
// subscribe, ask for a video, get it posted, list samples, unsubscribe. Prints what happened as one JSON object.
//
// The core is not part of this repository: its licence binds whoever installs it. NODE_PATH says where it is.
const http = require("http");
const zapier = require("zapier-platform-core");
const checks = require("zapier-platform-core/src/checks/index");

const { RELAY_URL: base_url, RELAY_KEY: api_key } = process.env;
const url = (path) => `{{bundle.authData.base_url}}${path}`;

const App = {
  version: "1.0.0",
  platformVersion: zapier.version,
  authentication: {
    type: "custom",
    fields: [
      { key: "base_url", required: true, type: "string" },
      { key: "api_key", required: true, type: "password" },
    ],
    test: { url: url("/v1/usage") },
    connectionLabel: "beatrelay",
  },
  beforeRequest: [
    (request, z, bundle) => {
      request.headers.Authorization = `Bearer ${bundle.authData.api_key}`;
      return request;
    },
  ],
  triggers: {
    video: {
      key: "video",
      noun: "Video",
      display: { label: "New Video", description: "Triggers when a video is ready." },
      operation: {
        type: "hook",
        performSubscribe: {
          method: "POST",
          url: url("/relay/v1/hooks"),
          body: { target_url: "{{bundle.targetUrl}}", event: "task.succeeded" },
        },
        performUnsubscribe: { method: "DELETE", url: url("/relay/v1/hooks/{{bundle.subscribeData.id}}") },
        performList: { url: url("/relay/v1/hooks/sample") },
        perform: (z, bundle) => [bundle.cleanedRequest],
        sample: { id: "evt_1" },
      },
    },
  },
  creates: {
    song: {
      key: "song",
      noun: "Song",
      display: { label: "Make a Video", description: "Makes a music video of a song." },
      operation: {
        inputFields: [{ key: "id", required: true }, { key: "song", required: true }, { key: "cover image 1" }, { key: "prompt" }],
        perform: async (z, bundle) => {
          const answer = await z.request({
            method: "POST",
            url: `${bundle.authData.base_url}/relay/v1/triggers/zapier`,
            body: bundle.inputData,
          });
          return answer.data;
        },
        sample: { task_id: "task_1" },
      },
    },
  },
};

async function main() {
  const posted = [];
  const catcher = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      posted.push(JSON.parse(Buffer.concat(chunks).toString()));
      response.end(JSON.stringify({ status: "success" }));
    });
  });
  await new Promise((ready) => catcher.listen(0, "127.0.0.1", ready));
  const targetUrl = `http://127.0.0.1:${catcher.address().port}/hooks/standard/1/abc`;
  const test = zapier.createAppTester(App);
  const { triggers, creates } = App;
  const authData = { base_url, api_key };

  const valid = await zapier.createAppHandler(App)({ command: "validate" });
  const known = await test(App.authentication.test, { authData });
  const subscribeData = await test(triggers.video.operation.performSubscribe, { authData, targetUrl });
  const inputData = {
    id: "rec1",
    song: "https://media.example.com/song.mp3",
    "cover image 1": "https://media.example.com/cover.png",
    prompt: "A singer on a rooftop",
  };
  const made = await test(creates.song.operation.perform, { authData, inputData });
  const again = await test(creates.song.operation.perform, { authData, inputData });
  for (const end = Date.now() + 60000; posted.length === 0 && Date.now() < end; ) {
    await new Promise((soon) => setTimeout(soon, 100));
  }
  const events = await test(triggers.video.operation.perform, { authData, cleanedRequest: posted[0] });
  const listed = await test(triggers.video.operation.performList, { authData });
  const problems = Object.values(checks).flatMap((check) =>
    check.shouldRun("triggers.video.operation.performList", { authData })
      ? check.run("triggers.video.operation.performList", listed, App)
      : [],
  );
  const ended = await test(triggers.video.operation.performUnsubscribe, { authData, subscribeData });
  const twice = await test(triggers.video.operation.performUnsubscribe, { authData, subscribeData });
  let refused = "";
  try {
    await test(App.authentication.test, { authData: { base_url, api_key: "wrong" } });
  } catch (error) {
    refused = error.name;
  }
  catcher.close();
  const problem = valid.results;
  console.log(JSON.stringify({ core: zapier.version, problem, known, subscribeData, made, again, events, listed, problems, ended, twice, refused }));
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
