//! A job array of Slurm.

use runs::shell::quoted_path;

use super::Sheet;

/// What an hour is asked of beyond the expected time, and the least.
const MARGIN: f64 = 3.0;
const LEAST_MINUTES: f64 = 30.0;

pub(super) fn script(sheet: &Sheet<'_>) -> String {
    let request = sheet.request;
    let program = sheet.program();
    let minutes = (MARGIN * sheet.minutes).ceil().max(LEAST_MINUTES);
    let fetch = sheet.fetch().map_or_else(String::new, |fetch| {
        format!("{program} {fetch} || exit\n    ")
    });
    let arguments = sheet.arguments(&format!("auto/{}", sheet.shards));
    format!(
        r#"#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={cores}
#SBATCH --time={minutes}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={name}-%a.log
#SBATCH --signal=B:TERM@90
# {about}.
# Submit with 'bash THIS-FILE', as often as needed: what is done is not done again. Then:
#   {program} {merge}
script=$(realpath "$0")
cd {folder} || exit 2
if [ -z "$SLURM_ARRAY_TASK_ID" ]; then
    {fetch}exec sbatch "$script"
fi
{program} {arguments} &
run=$!
# Signals come to this script. The program writes a checkpoint and ends with code 75.
trap 'kill -TERM $run 2>/dev/null' TERM USR1
while wait $run; code=$?; [ $code -gt 128 ] && kill -0 $run 2>/dev/null; do :; done
if [ $code -gt 128 ]; then
    # The wait was ended by a signal, and the program before it was asked again.
    wait $run 2>/dev/null; late=$?
    [ $late -ne 127 ] && code=$late
fi
# 2 (settings or data) and 3 (diverged) would come again.
# The id of the job may be that of the whole array.
[ $code -eq 75 ] && scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
exit $code
"#,
        name = sheet.name(),
        last = sheet.last(),
        cores = request.cores,
        about = sheet.about(),
        merge = sheet.merge(),
        folder = quoted_path(request.working_folder),
    )
}
