"""Classes of hazard that an object may bring, in the words of the profile and of the rules."""

from enum import Enum


class Hazard(str, Enum):
    """Sources: ISO 12100:2010 table B.1 (mechanical, thermal, electrical, materials), ISO
    13482:2014 clause 5 (personal care robots); the last four are relations to people."""

    SHARP = "sharp"
    HOT = "hot"
    HEAVY = "heavy"
    FRAGILE = "fragile"
    CHEMICAL = "chemical"
    FLAMMABLE = "flammable"
    ELECTRICAL = "electrical"
    PRESSURE = "pressure"
    MOVING_PARTS = "moving_parts"
    BIOLOGICAL = "biological"
    MOBILITY_AID = "mobility_aid"
    MEDICAL = "medical"
    SAFETY_DEVICE = "safety_device"
    PERSONAL = "personal"
