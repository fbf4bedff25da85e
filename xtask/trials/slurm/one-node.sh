#!/bin/bash
# A Slurm of this machine alone, for trials: without privileges, without munge, in a folder
# that can be deleted afterwards.
#
#   one-node.sh start FOLDER      fetches Slurm and GNU parallel if the folder has none, starts both daemons
#   one-node.sh restart FOLDER    ends slurmd as a crash does, and starts it again
#   one-node.sh stop FOLDER       ends both daemons
#
# Commands of Slurm find it by what FOLDER/environment sets: source it.
set -euo pipefail

action=${1:?start, restart or stop}
folder=$(realpath -m "${2:?a folder}")
root=$folder/root
host=$(hostname -s)

# Debian's packages, unpacked into the folder.
fetch() {
    mkdir -p "$folder/packages" "$root"
    (
        cd "$folder/packages"
        apt-get download -q slurmctld slurmd slurm-client slurm-wlm-basic-plugins parallel libmunge2 \
            libhwloc15 libjson-c5 liblua5.1-0 liblz4-1 libnuma1 libyaml-0-2 libdbus-1-3 >/dev/null 2>&1
        for package in *.deb; do
            dpkg -x "$package" "$root"
        done
    )
}

write_environment() {
    local libraries plugins
    libraries=$(echo "$root"/usr/lib/*-linux-gnu)
    plugins=$libraries/slurm-wlm
    cat >"$folder/environment" <<TEXT
export PATH=$root/usr/bin:$root/usr/sbin:\$PATH
export LD_LIBRARY_PATH=$libraries:$plugins\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
export SLURM_CONF=$folder/slurm.conf
TEXT
    mkdir -p "$folder/state" "$folder/spool" "$folder/log"
    # Two free ports: those of another trial are of another folder.
    local port=$((20000 + $(cksum <<<"$folder" | cut -d' ' -f1) % 20000))
    cat >"$folder/slurm.conf" <<TEXT
ClusterName=trial
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/none
# A requeued job waits until its credential has expired: usually two minutes.
AuthInfo=cred_expire=5
CredType=cred/none
PluginDir=$plugins
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=30
KillWait=30
MinJobAge=600
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=${SLURM_TRIAL_CPUS:-$(nproc)} State=UNKNOWN
PartitionName=trial Nodes=$host Default=YES MaxTime=INFINITE State=UP
TEXT
}

start_slurmd() {
    slurmd-wlm -d "$(command -v slurmstepd-wlm)" -N "$host"
}

# With a mark behind its state, such as idle*, it does not answer.
wait_until_it_answers() {
    local state
    for _ in $(seq 300); do
        state=$(sinfo -h -o %T 2>/dev/null || true)
        case $state in idle | mixed | allocated | completing) return ;; esac
        sleep 0.3
    done
    echo "the node did not answer, its state is '$state':" >&2
    tail -n 5 "$folder"/log/*.log >&2
    return 1
}

case $action in
start)
    mkdir -p "$folder"
    if [ ! -e "$root/usr/sbin/slurmctld-wlm" ]; then
        fetch
    fi
    write_environment
    source "$folder/environment"
    slurmctld-wlm -c
    start_slurmd
    wait_until_it_answers
    ;;
restart)
    source "$folder/environment"
    kill -KILL "$(cat "$folder/slurmd.pid")"
    sleep 1
    start_slurmd
    wait_until_it_answers
    ;;
stop)
    for name in slurmctld slurmd; do
        if [ -e "$folder/$name.pid" ]; then
            kill "$(cat "$folder/$name.pid")" 2>/dev/null || true
        fi
    done
    ;;
*)
    echo "unknown action '$action'; expected start, restart or stop" >&2
    exit 2
    ;;
esac
