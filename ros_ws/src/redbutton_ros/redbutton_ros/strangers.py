"""Who publishes in the robot's domain what only the gate may: the second line behind the domains.

DDS tells of every publisher, some 70 ms after it appears. One that is not the gate's is a stop
that names it, and no heartbeat is made while it is there.
"""

from collections.abc import Iterable

from rclpy.node import Node

REMNANT_S = 30.0  # longer than DDS takes to forget a gate that was killed (Fast DDS: 20 s)


class Strangers:
    """Looks at the publishers of guarded topics."""

    def __init__(self, node: Node, topics: Iterable[str], now: float) -> None:
        """`topics`: names as the node's publishers have them, resolved."""
        self._node = node
        self._topics = sorted(set(topics))
        self._remnants_until = now + REMNANT_S

    def found(self, now: float) -> list[str]:
        """One sentence for each publisher that should not be there."""
        strangers = []
        own = (self._node.get_name(), self._node.get_namespace())
        for topic in self._topics:
            mine = 0
            for publisher in self._node.get_publishers_info_by_topic(topic):
                if (publisher.node_name, publisher.node_namespace) == own:
                    mine += 1
                else:
                    where = publisher.node_namespace.rstrip("/")
                    strangers.append(f"{where}/{publisher.node_name} publishes {topic}")
            if mine > 1 and now > self._remnants_until:
                strangers.append(f"a second gate publishes {topic}")
        return strangers
