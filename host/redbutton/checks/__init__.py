"""Checks of commands and plans for harm, before anything moves.

Pure: no ROS, no port. What permits is deterministic; what reads text may only hold or refuse
(SR-27).
"""
