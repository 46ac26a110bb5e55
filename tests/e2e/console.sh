#!/bin/bash
# A technician at the console, 80x24, with a real VM: first-run wizard, install, the terminal lost half-way, back again, "try it
# here", dashboard, a module's log, its metrics, and the VM deleted by its typed name. Keys in, screens out, nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
setup_private
vm=ui$(($$ % 10000)) # short: eight keys at once would be taken for a paste
terminal=berth-e2e-$$

cleanup_extra() {
    tmux -L "$terminal" kill-server 2>/dev/null
    berth vm delete "$vm" --yes >/dev/null 2>&1
    berth sandbox stop >/dev/null 2>&1
}
explain() { screen; }

console_open() {
    tmux -L "$terminal" -f /dev/null new-session -d -x 80 -y 24 -s berth "exec berth"
}
screen() { tmux -L "$terminal" capture-pane -p -t berth; }
shows() { screen | grep -qE -- "$1"; }
# sees NAME SECONDS PATTERN: the screen comes to show it.
sees() { check "$1" wait_until "$2" shows "$3"; }
keys() { tmux -L "$terminal" send-keys -t berth "$@"; }
type_in() { tmux -L "$terminal" send-keys -t berth -l "$1"; }
frames_fit() { ! screen | grep -qE '.{81}'; }

# The wizard.
console_open
sees 'the wizard opens with the host check' 20 'Host check'
sees 'the check ends with what to do next' 60 'Enter Next'
keys Enter
sees 'the plan asks for a size' 10 'How big should the VM be'
keys Up Tab C-u
type_in "$vm"
sees 'the plan takes a name' 10 "$vm"
keys Enter
sees 'the review shows the same as a command' 20 "berth vm create --name $vm"
check 'no line is wider than the screen' frames_fit
keys Enter
sees 'the install shows its steps' 20 'step [0-9] of'

# The connection is lost; the job is not. Another terminal: a server that is still ending may not be joined.
tmux -L "$terminal" kill-server
terminal=$terminal-2
console_open
sees 'who comes back is told of the running job' 20 'A job is running'
keys Enter
sees 'and can watch it' 10 'Wait until the guest answers'
sees 'the install ends with the guest answering' 300 'The VM is installed and answers'
keys Enter
sees 'the installed VM leads to the choice of a cloud' 20 'Try it here'
berth sandbox start --mqtt-port 29883 --https-port 29443 --registry-port 26000 >"$work/log" 2>&1 || cat "$work/log"
keys 2
sees 'trying it here shows its steps' 20 'Connect to the sandbox'
sees 'the result is read back from the device' 300 'connected'
keys Enter
sees 'the dashboard shows VM, runtime and cloud' 60 'VM \[OK\] +Edge \[OK\] +Cloud \[OK\]'
keys 1
sees 'and the modules' 240 'sensor1 +\[OK\] running'
check 'no line of the dashboard is wider than the screen' frames_fit

# Looking at a module.
keys 2
sees 'the list of modules' 10 'sensor2 +\[OK\] running'
keys 3
sees 'the log screen' 20 'Logs'
keys Escape 2
keys Home Down Down
keys L
sees 'a live log' 60 'temperature'
keys Space
sees 'which can be held' 10 'PAUSED'
keys Escape 4
sees 'metrics with their last value' 60 'Memory used .*MiB'

# Bigger, smaller, too small.
tmux -L "$terminal" resize-window -t berth -x 132 -y 43
keys 1
sees 'a larger window shows the same' 10 'sensor1 +\[OK\] running'
tmux -L "$terminal" resize-window -t berth -x 20 -y 5
sees 'a window that is too small says what to do' 10 'q to quit'
tmux -L "$terminal" resize-window -t berth -x 80 -y 24
sees 'and comes back' 10 'sensor1 +\[OK\] running'

# The end of the VM.
keys 5
sees 'the VM screen' 10 "$vm"
keys Z
sees 'delete says what is lost' 10 'Type its name'
type_in "wrong"
keys Tab Tab Enter
sees 'a wrong name deletes nothing' 5 'does not match: type'
keys C-u
type_in "$vm"
keys Tab Tab Enter
gone() { ! berth vm exists "$vm"; }
check 'the typed name deletes it' wait_until 60 gone
quits() {
    keys q 2>/dev/null
    ! tmux -L "$terminal" has-session -t berth
}
check 'q goes back and at last leaves the console' wait_until 10 quits
