//! GNU parallel, on this machine or on several that have one file system.

use runs::shell::quoted_path;

use super::Sheet;

pub(super) fn script(sheet: &Sheet<'_>) -> String {
    let request = sheet.request;
    let program = sheet.program();
    let fetch = sheet
        .fetch()
        .map_or_else(String::new, |fetch| format!("{program} {fetch} || exit\n"));
    let shard = format!("\"$1/{}\"", sheet.shards);
    let arguments = sheet.arguments(&shard);
    format!(
        r#"#!/bin/bash
# {about}.
# Again while it ends with 75: shards that are done are not started again. 2: settings, data or
# hosts are wrong. After 0, and 3 (some runs diverged): {program} {merge}
# So many shards at once, and on several machines with one file system:
# JOBS=2 HOSTS=1/node1,1/node2 bash THIS-FILE
cd {folder} || exit 2
ready() {{ cd {folder} && {program} --version; }}
shard() {{
    cd {folder} || exit 2
    trap : TERM # which the program has too: it writes a checkpoint
    {program} {arguments}
    code=$?
    # 2 (settings or data) and 3 (diverged) would come again: they are written down, and
    # are no failure to parallel. 75 (stopped after a checkpoint) and kills are.
    case $code in
    2 | 3) echo "shard $1 ended with code $code" | tee -a {name}.final >&2 ;;
    *) return $code ;;
    esac
}}
export -f ready shard
export SHELL=/bin/bash
parallel --nonall --sshlogin "${{HOSTS:-:}}" --env ready ready >/dev/null ||
    {{ echo "GNU parallel, the program or a host is not there" >&2; exit 2; }}
{fetch}# Shards of wrong settings are done to parallel: all are looked at again.
grep -qs ' 2$' {name}.final && rm -f {name}.final {name}.joblog
seq 0 {last} | parallel --jobs "${{JOBS:-1}}" --sshlogin "${{HOSTS:-:}}" --env shard --joblog {name}.joblog \
    --resume-failed --retries 3 --termseq TERM,60000,KILL,25 shard &
all=$!
trap 'kill -TERM $all 2>/dev/null' HUP INT TERM
while wait $all; code=$?; kill -0 $all 2>/dev/null; do :; done
[ $code -eq 0 ] || {{ echo "shards were stopped; run it again" >&2; exit 75; }}
[ ! -e {name}.final ] || code=$(sed 's/.* //' {name}.final | sort -n | head -n 1)
[ $code -eq 2 ] || {program} sweep status {plan_and_runs} >/dev/null || case $? in
4) rm -f {name}.final {name}.joblog; echo "runs are missing; run it again" >&2; exit 75 ;; *) exit 2 ;; esac
exit $code
"#,
        name = sheet.name_of_content(),
        last = sheet.last(),
        about = sheet.about(),
        merge = sheet.merge(),
        plan_and_runs = sheet.plan_and_runs(),
        folder = quoted_path(request.working_folder),
    )
}
