"""Classes of hazard that an object may bring, in the words of the profile and of the rules."""

from enum import Enum


class Hazard(str, Enum):
    """Sources: ISO 12100:2010 table B.1 (mechanical, thermal, electrical, materials), ISO
    13482:2014 clause 5 (personal care robots); from mobility aid on they are relations to people.
    UNKNOWN: not understood, which is a hazard of its own."""

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
    IMPACT = "impact"
    FALL = "fall"
    LIQUID = "liquid"
    CHOKING = "choking"
    CONFINEMENT = "confinement"
    WEAPON = "weapon"
    PROPERTY = "property"
    MOBILITY_AID = "mobility_aid"
    MEDICAL = "medical"
    SAFETY_DEVICE = "safety_device"
    PERSONAL = "personal"
    SECURITY = "security"
    UNKNOWN = "unknown"
