"""A relay that is killed over a delivery to an endpoint delivers it after its restart, under the same id."""

import json

import httpx

from tests.integration.conftest import KEY, wait_for
from tests.integration.test_crashes import Scene, scene, zygote

__all__ = ["scene", "zygote"]


def test_a_kill_between_two_tries_keeps_the_id(scene: Scene) -> None:
    relay = scene.relay
    hook = relay.settings["connections"]["hook"]["url"]
    relay.start()
    headers = {"authorization": f"Bearer {KEY}"}

    def subscribe() -> bool:
        try:
            answer = httpx.post(f"{relay.url}/v1/webhooks", json={"url": hook}, headers=headers, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == 201

    wait_for(subscribe, "a subscription")
    scene.receiver.answers = [500] * 2
    task_id = scene.create("song")
    wait_for(lambda: scene.receiver.received, "the first try")
    relay.kill()
    relay.start()

    def told() -> list[str]:
        mine = [(sent, body) for sent, body in scene.receiver.received if "x-beatapi-event" in sent]
        return [sent["webhook-id"] for sent, body in mine if json.loads(body)["data"]["id"] == task_id]

    done = "SELECT 1 FROM deliveries WHERE use = 'endpoint' AND state = 'done'"
    wait_for(lambda: scene.rows(done), "the delivery to the endpoint")
    assert len(set(told())) == 1
    (event,) = scene.rows("SELECT event_id FROM finishes")
    assert set(told()) == {event[0]}
    relay.terminate()
