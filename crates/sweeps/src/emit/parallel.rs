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
# Again while it ends with 75: shards that are done are not started again. 2: settings, data,
# folders or hosts are wrong. After 0, and 3 (some runs diverged): {program} {merge}
# So many shards at once, and on several machines with one file system:
# JOBS=2 HOSTS=1/node1,1/node2 bash THIS-FILE
trap 'stopped=1; kill -TERM $all 2>/dev/null' HUP INT TERM
again() {{ echo "$1; run it again" >&2; exit 75; }}
cd {folder} || exit 2
ready() {{ cd {folder} && {program} --version; }}
shard() {{
    cd {folder} || exit 2
    trap : TERM # which the program has too: it writes a checkpoint
    {program} {arguments}
    code=$?
    # 2 (settings, data, folders) and 3 (diverged) would come again; 75 and kills go on.
    [ $code -ne 2 ] || echo "shard $1 ended with code 2" | tee -a {name}.final >&2
    return $((code == 2 || code == 3 ? 0 : code))
}}
export -f ready shard
export SHELL=/bin/bash
parallel --nonall --sshlogin "${{HOSTS:-:}}" --env ready ready >/dev/null || [ -n "$stopped" ] ||
    {{ echo "GNU parallel, the program or a host is not there" >&2; exit 2; }}
{fetch}[ -z "$stopped" ] || again "it was stopped"
# Shards that ended with 2 are done to parallel: all are looked at again.
[ ! -e {name}.final ] || rm -f {name}.final {name}.joblog
seq 0 {last} | parallel --jobs "${{JOBS:-1}}" --sshlogin "${{HOSTS:-:}}" --env shard --joblog {name}.joblog \
    --resume-failed --retries 3 --termseq TERM,60000,KILL,25 shard &
all=$!
while wait $all; code=$?; kill -0 $all 2>/dev/null; do :; done
[ $code -ne 255 ] || [ -n "$stopped" ] || exit 2 # of parallel itself, which has said why
[ $code -eq 0 ] || again "shards were stopped"
[ ! -e {name}.final ] || exit 2
said=$({program} sweep status {plan_and_runs}); code=$?
case $code:${{said%%$'\n'*}} in
0:*diverged*) exit 3 ;; 0:*) exit 0 ;; 4:*damaged*) exit 2 ;;
4:*) rm -f {name}.joblog; again "runs are missing" ;; *) exit 2 ;; esac
"#,
        name = sheet.name_of_content(),
        last = sheet.last(),
        about = sheet.about(),
        merge = sheet.merge(),
        plan_and_runs = sheet.plan_and_runs(),
        folder = quoted_path(request.working_folder),
    )
}
