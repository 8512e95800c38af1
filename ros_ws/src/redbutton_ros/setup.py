"""Packaging of redbutton_ros, as colcon and ament expect it."""

from glob import glob

from setuptools import find_packages, setup

NAME = "redbutton_ros"

setup(
    name=NAME,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", sorted(glob("launch/*.launch.py"))),
        (f"share/{NAME}/config", sorted(glob("config/*.yaml"))),
        (f"share/{NAME}/foxglove", sorted(glob("foxglove/*.json"))),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=True,
    maintainer="The redbutton authors",
    maintainer_email="redbutton@users.noreply.github.com",
    description="ROS 2 gate of the redbutton emergency-stop controller.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "gate = redbutton_ros.gate:main",
            "zone = redbutton_ros.zone:main",
            "demo_planner = redbutton_ros.demo_planner:main",
            "demo_robot = redbutton_ros.demo_robot:main",
        ]
    },
)
