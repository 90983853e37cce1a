"""Harmonised tables to person-months and times to event, by the study's rules."""

from ips_outcomes.followup.follow_up import FollowUp, follow_up

__all__ = ["FollowUp", "follow_up"]
