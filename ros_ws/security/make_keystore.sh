#!/bin/sh
# Makes the keys and permissions of DDS security for redbutton, with `ros2 security` alone.
#
#   make_keystore.sh FOLDER                               planner and robot in one domain
#   make_keystore.sh FOLDER PLANNER_DOMAIN ROBOT_DOMAIN   a domain each, and nothing shared
#
# One domain: FOLDER/keystore is a keystore as usual. Two: each domain has a certificate authority
# of its own, so that the planner's certificate is worth nothing in the robot's domain. FOLDER/gate
# joins the gate's two enclaves, because a process has one ROS_SECURITY_KEYSTORE.
#
# Each computer gets its own enclaves and nothing else. The folders `private` sign new enclaves:
# keep them where no robot and no planner can read them.
set -eu
umask 077

fail() {
    echo "make_keystore.sh: $1" >&2
    exit 1
}

case $# in
    1) domain=${ROS_DOMAIN_ID:-0} ;;
    3) [ "$2" != "$3" ] || fail "the two domains are the same: leave them out" ;;
    *) fail "usage: make_keystore.sh FOLDER [PLANNER_DOMAIN ROBOT_DOMAIN]" ;;
esac
folder=$1
policies=$(cd "$(dirname "$0")" && pwd)/policies
ros2 security --help >/dev/null 2>&1 ||
    fail "no ros2 security here: apt-get install ros-${ROS_DISTRO:-DISTRO}-sros2, and source ROS"
[ ! -e "$folder" ] || fail "$folder is there already: a keystore is not overwritten"
mkdir -p "$folder"

# make KEYSTORE DOMAIN POLICY ENCLAVE...: the domain stands in what is signed.
make() {
    keystore=$folder/$1 policy=$policies/$3
    export ROS_DOMAIN_ID="$2"
    shift 3
    ros2 security create_keystore "$keystore"
    for enclave; do
        ros2 security create_enclave "$keystore" "$enclave"
        ros2 security create_permission "$keystore" "$enclave" "$policy"
    done
}

if [ $# = 1 ]; then
    make keystore "$domain" one_domain.xml \
        /redbutton/planner /redbutton/gate /redbutton/robot /redbutton/zone
else
    make planner_domain "$2" planner_domain.xml /redbutton/planner /redbutton/gate/planner_side
    make robot_domain "$3" robot_domain.xml /redbutton/gate /redbutton/robot /redbutton/zone
    # Links into the keystores become files.
    mkdir -p "$folder/gate/enclaves/redbutton"
    cp -RL "$folder/robot_domain/enclaves/redbutton/gate" "$folder/gate/enclaves/redbutton/"
    cp -RL "$folder/planner_domain/enclaves/redbutton/gate/planner_side" \
        "$folder/gate/enclaves/redbutton/gate/"
fi
echo "made in $folder"
