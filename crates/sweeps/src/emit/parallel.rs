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
# Run it again while it ends with code 75: shards that are done are not started again. After
# 0, and 3 (some runs diverged):
#   {program} {merge}
# 2 says that settings or data are wrong; mend them, then run it again.
# On several machines with one file system: HOSTS=1/node1,1/node2 bash THIS-FILE
cd {folder} || exit 2
# Shards of wrong settings are done to parallel: all are looked at again.
grep -qs ' 2$' {name}.final && rm -f {name}.final {name}.joblog
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
    --joblog {name}.joblog --resume-failed --retries 3 shard || exit 75
[ ! -e {name}.final ] || exit "$(sed 's/.* //' {name}.final | sort -n | head -n 1)"
"#,
        name = sheet.name_of_content(),
        last = sheet.last(),
        about = sheet.about(),
        merge = sheet.merge(),
        folder = quoted(request.working_folder),
    )
}
