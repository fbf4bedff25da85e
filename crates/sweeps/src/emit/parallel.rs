//! GNU parallel, on this machine or on several that have one file system.

use runs::shell::quoted;

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
# Run it again until it ends with code 0, or 3: shards that are done are not started again,
# nor are those in {name}.final. Then:
#   {program} {merge}
# On several machines with one file system: HOSTS=1/node1,1/node2 bash THIS-FILE
cd {folder} || exit 2
{fetch}shard() {{
    cd {folder} || exit 2
    {program} {arguments}
    code=$?
    # 2 (settings or data) and 3 (diverged) would come again: they are written down, and
    # are no failure to parallel. 75 (stopped after a checkpoint) and kills are.
    case $code in
    2 | 3) echo "shard $1 ended with code $code" | tee -a {name}.final >&2 ;;
    *) return $code ;;
    esac
}}
export -f shard
export SHELL=/bin/bash
seq 0 {last} | parallel --jobs "${{JOBS:-1}}" ${{HOSTS:+--sshlogin "$HOSTS"}} --env shard \
    --joblog {name}.joblog --resume-failed --retries 3 shard
code=$?
[ -e {name}.final ] && code=3
exit $code
"#,
        name = sheet.name(),
        last = sheet.last(),
        about = sheet.about(),
        merge = sheet.merge(),
        folder = quoted(request.working_folder),
    )
}
