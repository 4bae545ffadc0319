# What the scripts that run the crash rig share; sourced, never run.

rig_work=build/rig

# field NAME FILE: the value in the summary, the last line of the JSON.
field()
{
    tail -n 1 "$2" | sed -n "s/.*\"$1\":\"\{0,1\}\([a-z0-9.]*\).*/\1/p"
}
