"""What the gate is to the outside, in one place: its parameters and its names in the ROS graph.

Configurations, policies, recordings and the dashboard are held against this.
"""

# Name -> default. The type of the default is the type of the parameter.
PARAMETERS = {
    "port": "",
    "key_file": "",
    "planner_domain": -1,
    "record": "",
    "profile": "",
    "profile_in_force": "",
    "pose": "",
    "people": "",
    "joints": "",
    "operator_group": "",
    "planner_user": "",
    "stop_latency": 0.11,
    "command_age": 0.25,
    "rest": 0.5,
    "planner_timeout": 0.0,
    "watch_strangers": True,
    "deceleration": 0.0,
    "odometry": "",
    "odometry_timeout": 0.0,
    "outputs": ["base"],
    "inputs": ["planner"],
    "actions": [""],
    "topics_back": [""],
}
# The list that names them -> the first word of their parameters, and those.
LISTED = {
    "outputs": (
        "output",
        {"topic": "cmd_vel", "type": "geometry_msgs/msg/Twist", "frame": ""},
    ),
    "inputs": (
        "input",
        {
            "output": "base",
            "side": "planner",
            "topic": "",
            "type": "geometry_msgs/msg/Twist",
            "priority": 0,
            "max_linear": 0.0,
            "max_angular": 0.0,
            "deadline": 0.0,
            "lease": 0.0,
            "required": False,
        },
    ),
    "actions": ("action", {"topic": "", "planner_topic": "", "type": ""}),
    "topics_back": ("topic_back", {"topic": "", "type": ""}),
}

# The planner's request to move, by whether it has a ROS domain of its own.
ASKED_IN_TWO = {"cmd_vel": "geometry_msgs/msg/Twist"}
ASKED_IN_ONE = {"cmd_vel_request": "geometry_msgs/msg/Twist"}
ALIVE = {"planner/alive": "std_msgs/msg/Empty"}
PASSED = {"cmd_vel": "geometry_msgs/msg/Twist"}
STATES = {
    "estop/state": "redbutton_msgs/msg/SafetyState",
    "estop/e_stop": "std_msgs/msg/Bool",
}
TOLD_THE_ROBOT = {
    **STATES,
    "estop/lock": "std_msgs/msg/Bool",
    "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
}
ODOMETRY = {"odom": "nav_msgs/msg/Odometry"}
STOPS = {
    "estop/stop": "std_srvs/srv/Trigger",
    "estop/request_stop": "redbutton_msgs/srv/RequestStop",
}
PLAN = {"estop/check_plan": "redbutton_msgs/srv/CheckPlan"}
ZONE = {"zone/stop": "std_srvs/srv/Trigger"}

# What every node of rclpy has, beside what it is made for.
NODE_TOPICS = {"/parameter_events", "/rosout"}
NODE_SERVICES = {
    "describe_parameters",
    "get_parameter_types",
    "get_parameters",
    "get_type_description",  # from Jazzy on
    "list_parameters",
    "set_parameters",
    "set_parameters_atomically",
}
