"""ROS 2 gate of the redbutton emergency-stop controller."""
