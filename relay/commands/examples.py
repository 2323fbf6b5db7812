"""What each command is used for: one or two real examples in its help, and the first of its commands' in a group's.

An example is the command as one would type it; which command it belongs to is read from itself.
"""

from itertools import pairwise

import click

EXAMPLES = """\
# listen for the whole network, on another port
beatrelay serve --host 0.0.0.0 --port 8080
# without an account: against the sandbox of a second terminal
BEATAPI_BASE_URL=http://127.0.0.1:8788 BEATAPI_API_KEY=sk_sandbox_key beatrelay serve

# the shipped songs become videos; then it stays up for you to look around
beatrelay demo
# your own songs; leaves when all is done
beatrelay demo --songs songs.csv --once

# videos in seconds instead of minutes
beatrelay sandbox --speed 30
# a bad day: lost webhooks, tasks that fail, creates without an answer
beatrelay sandbox --drop-webhooks 0.3 --fail-rate 0.1 --lost-answers 0.05 --seed 7

# what happened to it, and what happens next
beatrelay why task_019e2b7c4d1f
# for a script; on the machine where the relay keeps its data
beatrelay why task_019e2b7c4d1f --json --data /var/lib/beatrelay

# what would it cost, and what is wrong with it? Nothing is asked for
beatrelay batch run songs.xlsx --dry-run
# the column Track is the audio; every video is 9:16; rows that failed are asked for again
beatrelay batch run songs.xlsx --map Track=audio_url --set aspect_ratio=9:16 --failed
# go on watching after Ctrl-C
beatrelay batch attach bat_019e2b7c4d1f
# the five newest, with their ids
beatrelay batch list --limit 5

# before a restart, or in a deployment
beatrelay config check --config /etc/beatrelay.toml

# Slack; the token is asked for and never shown
beatrelay connections add team-slack slack 'token=?'
# a bucket, its secret from the environment
beatrelay connections add media s3 bucket=videos access_key_id=AKIA123 secret_access_key=env:S3_SECRET
# does it reach what it should?
beatrelay connections test team-slack
# another token, everything else as it was
beatrelay connections set team-slack token=env:SLACK_TOKEN
# every one, and where it is stored
beatrelay connections list
# without being asked back; recipes that need it will wait
beatrelay connections remove team-slack --yes

# the first person, or one who forgot the password
beatrelay dashboard link
# somebody who only looks
beatrelay dashboard link --role viewer

# what has not arrived since yesterday, and why
beatrelay deliveries list --undelivered --since 24h
# everything that Slack refused
beatrelay deliveries list --connection team-slack --state dead --error channel_not_found
# what would be sent again? With --yes it is
beatrelay deliveries replay --connection team-slack --since 2026-11-25
# this one, now
beatrelay deliveries replay dlv_019e2b7c4d1f --yes
# somebody has seen to these otherwise: with --yes they are counted no more
beatrelay deliveries dismiss --error 'restored from a copy' --reason 'all of them had arrived'
# a new recipe for the finishes of the last week
beatrelay deliveries backfill 'Archive to S3' --since 7d --dry-run
# what waits where, and what holds it
beatrelay deliveries lanes
# the destination is being repaired
beatrelay deliveries pause team-slack --reason 'moves to another workspace'
# all that was parked goes out
beatrelay deliveries resume team-slack
# its state, its last error, its result
beatrelay deliveries show dlv_019e2b7c4d1f

# for an app that makes videos: at most 30 requests a minute, 2 tasks at once, for 90 days
beatrelay keys create shop-app --per-minute 30 --share 2 --expires 90d
# for a colleague's scripts that replay and settle
beatrelay keys create ops --scopes read,operate
# ids, scopes, when each was last used
beatrelay keys list
# it got out: nobody uses it from now on
beatrelay keys revoke key_019e2b7c4d1f

# see the gallery, then take one
beatrelay recipes new
# into recipes/slack-video.yaml, to be edited there
beatrelay recipes new slack-video
# all of them, before they are deployed
beatrelay recipes check recipes
# what would be sent for this very task?
beatrelay recipes preview recipes/slack-video.yaml --task task_019e2b7c4d1f
# when each fires, and what it calls
beatrelay recipes list recipes
# what would become of its deliveries? With --yes it goes
beatrelay recipes remove slack-video.yaml
# for an editor that completes and checks
beatrelay recipes schema

# what would be taken now, and what is wrong by cell
beatrelay sheets check songs
# now, and not when its schedule says
beatrelay sheets run songs
# which are watched, and which does not work
beatrelay sheets list

# what a person must settle
beatrelay tasks list --unconfirmed
# Beat API's own list shows it: it was accepted
beatrelay tasks settle task_019e2b7c4d1f --adopt task_of_theirs
# it is not there: ask for it again
beatrelay tasks settle task_019e2b7c4d1f --resubmit
# Beat API has none of what a restore holds: with --yes all of it is asked for again
beatrelay tasks settle --error 'restored from a copy' --resubmit
# it waits in the queue, and nobody wants it any more
beatrelay tasks cancel task_019e2b7c4d1f
# before all others
beatrelay tasks prioritise task_019e2b7c4d1f 9
# after all others
beatrelay tasks prioritise -- task_019e2b7c4d1f -9

# while the relay serves; the folder must not be there yet
beatrelay backup /mnt/backups/2026-11-26
# every hour, without the videos
beatrelay backup --no-media

# onto a new machine, before its relay is started
beatrelay restore /mnt/backups/2026-11-26
# instead of the journal that is there; it is kept aside
beatrelay restore /mnt/backups/2026-11-26 --replace

# into the environment of a container
beatrelay vault key
# once a year, or when somebody leaves
beatrelay vault rotate
# the relay says that a key is missing: what does it open?
beatrelay vault lost
# the key is gone for good
beatrelay vault lost --forget

# after a change of the API
beatrelay openapi
# in CI
beatrelay openapi --check
"""
MOST = 2
"""Examples in one help."""


def teach(main: click.Group) -> None:
    """Give every command that has examples, and the groups it is in, a block of them."""
    lines = EXAMPLES.splitlines()
    shown: dict[click.Command, list[str]] = {}
    for note, example in pairwise(lines):
        if note.startswith("#"):
            for command in path_of(main, example)[1:]:
                shown.setdefault(command, []).append(f"  {note}\n  {example}")
    for command, examples in shown.items():
        block = "\b\nExamples:\n" + "\n".join(examples[:MOST])
        command.epilog = f"{block}\n\n{command.epilog}" if command.epilog else block


def path_of(main: click.Group, example: str) -> list[click.Command]:
    """``main``, the groups and the command that ``example`` calls."""
    path: list[click.Command] = [main]
    for word in example.split():
        group = path[-1]
        if isinstance(group, click.Group) and word in group.commands:
            path.append(group.commands[word])
    return path
