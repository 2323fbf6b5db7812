"""What to do about a mail server's refusal: the server says it in its own words, and to somebody else.

By RFC 5321 (replies), 3207 (STARTTLS), 4954 (login) and what servers make of them.
"""

import re
from typing import Literal

Stage = Literal["login", "sender", "recipient", "mail"]
"""What was refused: the login, whom the mail is from, whom it goes to, or the mail itself."""

_ENCRYPT = "set the connection's `tls` to `starttls` (port 587) or `tls` (port 465)"
_LOG_IN = "it wants to know who sends: give the connection a `user` and a `password`"
_ACCOUNT = (
    "look at the connection's `user` and `password`; an account with two-step login takes an app password here, made in"
    " its security settings, and some providers let mail programs in only once that is switched on"
)
_SLOWER = "it is tried again; if this happens often, let less through at once: the connection's `per_minute`"
_LATER = "it is tried again, and as a rule that is enough: the server is busy, or lets strangers wait at first"
_FULL = "their mailbox is full: they have to make room"
_SMALLER = (
    "the mail is too large: lower the step's `attach_limit_mb`, or leave `attach` away and let the mail link the file"
)
_SENDER = "put an address into the connection's `sender` that this account may send from, or have it allowed there"
_RELAYING = "it takes mail for others only from those it knows: give the connection a `user` and a `password`"
_RECIPIENT = "look at the address in the step's `to`, `cc` and `bcc`, then replay this"
_POLICY = (
    "it takes the mail for spam, or against its rules: see that the SPF and DKIM records of the sender's domain name"
    " this server, or ask whoever runs it"
)
_RULED_OUT = r"spam|policy|block|reject(ed)? due|reputation|spf|dkim|dmarc|5\.7\."

_EVERYWHERE: frozenset[Stage] = frozenset({"login", "sender", "recipient", "mail"})
_RULES: tuple[tuple[frozenset[Stage], frozenset[int], str, str], ...] = (
    (_EVERYWHERE, frozenset({530, 538, 554}), r"\b(start)?tls\b|encrypt|secure connection", _ENCRYPT),
    (_EVERYWHERE, frozenset({530}), "", _LOG_IN),
    (frozenset({"login"}), frozenset({534, 535}), "", _ACCOUNT),
    (_EVERYWHERE, frozenset({421, 450, 451, 452}), r"too many|rate|limit|exceed", _SLOWER),
    (_EVERYWHERE, frozenset({421, 450, 451, 452, 454}), "", _LATER),
    (frozenset({"recipient"}), frozenset({552}), "", _FULL),
    (frozenset({"sender", "mail"}), frozenset({552}), "", _SMALLER),
    (frozenset({"sender"}), frozenset({550, 551, 553, 554}), "", _SENDER),
    (frozenset({"recipient"}), frozenset({550, 551, 553, 554}), r"relay", _RELAYING),
    (frozenset({"recipient"}), frozenset({550, 553, 554}), _RULED_OUT, _POLICY),
    (frozenset({"recipient"}), frozenset({550, 551, 553}), "", _RECIPIENT),
    (frozenset({"mail"}), frozenset({550, 553, 554}), "", _POLICY),
)
"""The first that fits: what was refused, with which code, in which words."""


def next_step(stage: Stage, code: int, words: str) -> str:
    """What to do, as the end of a sentence; empty for what says nothing more than its words."""
    for stages, codes, said, advice in _RULES:
        if stage in stages and code in codes and re.search(said, words, re.IGNORECASE):
            return advice
    return ""


def with_next_step(stage: Stage, code: int, words: str) -> str:
    """The server's words, and what to do."""
    advice = next_step(stage, code, words)
    return f"{words.rstrip('. ')}; {advice}" if advice else words
