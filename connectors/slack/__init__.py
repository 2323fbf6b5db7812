"""Slack: messages, one per task, and the MP4 itself so that it plays inline."""

from .connector import Slack
from .settings import SlackConfig, SlackConnection

__all__ = ["Slack", "SlackConfig", "SlackConnection"]
