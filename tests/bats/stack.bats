#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154 # what stands in single quotes is expanded elsewhere; output and lines are set by run
#
# Stacks without networks: `up`, `down`, and what is between. How they change is in stack-update.bats, networks in stack-network.bats.
load helpers
load vm-helpers
load stack-helpers

# bats test_tags=smoke
@test "up makes all that a file says, a second one nothing, down leaves nothing" {
	stack_file '{ volumes: { data: null }, services: {
		web: service("echo web; read x </data/x && echo $x; exec sleep 1000"; { depends_on: ["db"], replicas: 2, volumes: ["data:/data"] }),
		db: service("echo stored >/data/x; echo db; exec sleep 1000"; { volumes: ["data:/data"] }) } }'
	run -0 nacelle up "$STACK"
	is "make volume ${S}_data
create $S-db-1
create $S-web-1
create $S-web-2"
	before=$(pids)
	run -0 nacelle up "$STACK"
	is ""
	[ "$(pids)" = "$before" ]
	run -0 nacelle state "$S-web-2"
	jq -e --arg s "$S" '.annotations | .["io.nacelle.stack"] == $s and .["io.nacelle.stack_service"] == "web" and
		.["io.nacelle.stack_replica"] == "2"' <<<"$output"
	run -0 nacelle exec "$S-web-2" hostname
	is "$S-web-2"
	run -0 nacelle down "$STACK"
	[[ ${lines[0]} =~ remove\ $S-web-[12] && ${lines[2]} == "remove $S-db-1" ]]
	[ "${#lines[@]}" = 3 ]
	run -0 nacelle volume ls -q
	is "${S}_data"
	run -0 nacelle down -v "$STACK"
	is "remove volume ${S}_data"
	run -0 nacelle down "$STACK"
	is ""
	[ ! -e "$DATA/stacks/$S" ]
}

@test "--dry-run says what up and down then do, and does nothing" {
	stack_file '{ services: { a: service("exec sleep 1000"; {}), b: service("exec sleep 1000"; { depends_on: ["a"] }) } }'
	plan=$(nacelle up --dry-run "$STACK")
	[ ! -e "$STATE" ] || [ -z "$(nacelle list -q)" ]
	[ ! -e "$DATA/stacks/$S" ]
	run -0 nacelle up "$STACK"
	is "$plan"
	plan=$(nacelle down --dry-run "$STACK")
	[ "$(nacelle list -q | wc -l)" = 2 ]
	run -0 nacelle down "$STACK"
	is "$plan"
}

@test "depends_on: healthy and completed are waited for" {
	rootfs_share
	stack_file '{ services: {
		app: service("cat /share/ready /share/migrated; exec sleep 1000"; { volumes: ["./share:/share"], depends_on: { db: "healthy", job: "completed" } }),
		job: service("sleep 0.3; echo migrated >/share/migrated"; { volumes: ["./share:/share"] }),
		db: service("sleep 0.3; echo ready >/share/ready; exec sleep 1000"; { volumes: ["./share:/share"],
			health: { cmd: ["test", "-e", "/share/ready"], interval: "100ms", retries: 100 } }) } }'
	run -0 nacelle up "$STACK"
	has "wait for db"
	has "wait for job"
	ID=$S-app-1 says migrated
	run -0 nacelle logs "$S-app-1"
	is "ready
migrated"
	# a job that has come to its end is not run again
	run -0 nacelle up "$STACK"
	is ""
	run -0 nacelle wait "$STACK" job
	is "$S-job-1 0"
}

@test "a job that fails, and a time that is over, end up by one line; what is up stays" {
	stack_file '{ services: { app: service("exec sleep 1000"; { depends_on: { job: "completed" } }), job: service("exit 3"; {}) } }'
	run -125 nacelle up "$STACK"
	has "wait for 'job': container '$S-job-1' has ended with status 3 (see 'nacelle logs $S-job-1')"
	not nacelle state "$S-app-1"
	stack_file '{ services: { app: service("exec sleep 1000"; { depends_on: { job: "completed" } }), job: service("exec sleep 1000"; {}) } }'
	nacelle up "$STACK" job
	run -125 nacelle up --timeout 0 "$STACK"
	has "wait for 'job': container '$S-job-1' is not at its end after 0 s"
}

@test "configs and secrets are files, read-only, and an edit replaces who has them" {
	echo one >conf
	stack_file '{ configs: { c: { file: "conf" }, text: { content: "of ${WHO}" } }, secrets: { pw: { environment: "PW" } }, services: {
		a: service("exec sleep 1000"; { configs: [{ source: "c", target: "/etc/c" }, "text"], secrets: [{ source: "pw", mode: "0400", uid: 5 }] }),
		b: service("exec sleep 1000"; {}) } }'
	export WHO=me PW=hidden
	nacelle up "$STACK"
	run -0 nacelle exec "$S-a-1" sh -c 'cat /etc/c /text /run/secrets/pw; echo; stat -c "%a %u" /run/secrets/pw'
	is "one
of mehidden
400 5"
	run ! nacelle exec "$S-a-1" sh -c 'echo x >/etc/c'
	[ "$(find "$STATE/.stacks" -type f | wc -l)" = 3 ]
	[ "$(stat -c %a "$STATE/.stacks" "$STATE/.stacks/$S" | sort -u)" = 700 ]
	# no secret is kept where it outlives the stack
	not grep -rF hidden "$DATA/stacks"
	echo two >conf
	run -0 nacelle up "$STACK"
	is "replace $S-a-1 (its spec has changed)"
	run -0 nacelle exec "$S-a-1" cat /etc/c
	is two
	[ "$(find "$STATE/.stacks" -type f | wc -l)" = 3 ]
	# by its name, with the variables of then
	unset WHO
	run -0 nacelle up "$S"
	is ""
	unset PW
	run -125 nacelle up "$S"
	one_line
	has "secrets.pw: the variable 'PW' is not set"
}

@test "volumes: the stack's outlives its containers, a folder is the host's, memory goes with the container" {
	rootfs_share
	# each start leaves a line in all three
	stack_file '{ volumes: { data: null }, services: { a: service("for d in data share mem; do echo line >>/$d/lines; done; echo done >/mem/done; exec sleep 1000";
		{ volumes: ["data:/data", "./share:/share"], tmpfs: ["/mem"] }) } }'
	lines()
	{
		nacelle exec "$S-a-1" cat /mem/done >/dev/null 2>&1 &&
			[ "$(nacelle exec "$S-a-1" sh -c 'for d in data share mem; do wc -l </$d/lines; done' | xargs)" = "$*" ]
	}
	nacelle up "$STACK"
	until_true 20 lines 1 1 1
	[ "$(nacelle exec "$S-a-1" stat -f -c %T /mem)" = tmpfs ]
	nacelle kill "$S-a-1" KILL
	until_true 20 state_of "$S-a-1" stopped
	nacelle up "$STACK"
	until_true 20 lines 2 2 1
	nacelle down "$STACK"
	nacelle up "$STACK"
	until_true 20 lines 3 3 1
	[ "$(wc -l <share/lines)" = 3 ]
	run -0 nacelle volume ls
	has "${S}_data"
	nacelle down --volumes "$STACK"
	run -0 nacelle volume ls
	lacks "$S"
	[ "$(wc -l <share/lines)" = 3 ]
}

@test "scale changes the number, and up by name keeps it" {
	stack_file '{ services: { a: service("exec sleep 1000"; {}), b: service("exec sleep 1000"; {}) } }'
	nacelle up "$STACK"
	run -0 nacelle scale "$STACK" a=3
	is "create $S-a-2
create $S-a-3"
	run -0 nacelle up "$S"
	is ""
	run -0 nacelle scale "$S" a=1 b=0
	has "remove $S-a-3 (one replica less)"
	has "remove $S-b-1 (one replica less)"
	run -125 nacelle scale "$S" c=1
	one_line
	has "stack '$S' has no service \"c\""
	run -125 nacelle scale "$S" a=x
	one_line
	has "'a=x' is not SERVICE=NUMBER"
}

@test "ps, logs, wait, restart of a stack, by its file and by its name" {
	stack_file '{ services: { a: service("echo first; sleep 0.05; echo third >&2; exit 4"; {}),
		b: service("sleep 0.02; echo second; trap \"exit 5\" TERM; while :; do sleep 0.05; done"; { depends_on: ["a"] }) } }'
	nacelle up "$STACK"
	until_true 20 state_of "$S-a-1" stopped
	run -0 nacelle ps "$STACK"
	[[ ${lines[1]} =~ ^$S-a-1\ +a\ +0\ +stopped\ \(4\)\ +0 ]]
	[[ ${lines[2]} =~ ^$S-b-1\ +b\ +[0-9]+\ +running\ +0 ]]
	run -0 nacelle ps --format json "$S" b
	jq -e --arg id "$S-b-1" 'length == 1 and (.[0] | .id == $id and .service == "b" and .replica == 1 and .status == "running")' <<<"$output"
	until_true 20 bash -c '"$0" --root "$1" --data "$2" logs "$3" | grep -q second' "$NACELLE" "$STATE" "$DATA" "$S"
	run -0 nacelle logs "$STACK"
	has "$S-a-1 | first"
	has "$S-a-1 | third"
	has "$S-b-1 | second"
	run -0 nacelle logs --tail 1 -t "$S" a
	[[ $output =~ ^$S-a-1\ \|\ [0-9T:.-]+Z\ third$ ]]
	pid=$(nacelle state "$S-b-1" | jq .pid)
	run -0 nacelle restart "$S" b
	is "restart $S-b-1"
	[ "$(nacelle state "$S-b-1" | jq .pid)" != "$pid" ]
	nacelle logs -f "$S" >followed 2>&1 &
	reader=$!
	until_true 20 grep -q second followed
	nacelle stop "$S-b-1"
	wait $reader
	run -4 nacelle wait "$STACK"
	[ "${lines[0]}" = "$S-a-1 4" ]
	[ "${#lines[@]}" = 2 ]
}

@test "profiles: only when asked for, and left alone by who does not ask" {
	stack_file '{ services: { a: service("exec sleep 1000"; {}), debug: service("exec sleep 1000"; { profiles: ["dev"] }) } }'
	run -0 nacelle up "$STACK"
	is "create $S-a-1"
	run -0 nacelle up --profile dev "$STACK"
	is "create $S-debug-1"
	run -0 nacelle up "$STACK"
	is ""
	run -0 nacelle config --services "$STACK"
	is a
	run -0 nacelle config --services --profile '*' "$STACK"
	is "a
debug"
}

@test "a service starts from a spec file or a bundle, and what stands beside it wins" {
	mkdir sub
	jq -n --arg r "$ROOTFS" '{ layers: [$r], args: ["sh", "-c", "echo $A $B $(hostname); exec sleep 1000"], env: { A: "1", B: "1" }, env_file: "./vars" }' >sub/web.json
	echo C=3 >sub/vars
	bundle '.process.args = ["sh", "-c", "echo oci $E; exec sleep 1000"]'
	stack_file '{ services: { short: { spec: "sub/web.json", env: { B: "2" }, stop_timeout: 0, update: { watch: 0 } },
		oci: { spec: "./bundle", env: { E: "4" } } } }'
	nacelle up "$STACK"
	until_true 20 bash -c '[ "$("$0" --root "$1" --data "$2" logs "$3" | wc -l)" = 2 ]' "$NACELLE" "$STATE" "$DATA" "$S"
	run -0 nacelle logs "$S"
	has "$S-short-1 | 1 2 $S-short-1"
	has "$S-oci-1   | oci 4"
	# the file's own content counts
	echo C=4 >sub/vars
	run -0 nacelle up "$STACK"
	is "replace $S-short-1 (its spec has changed)"
}

@test "variables come from the environment, and from files" {
	stack_file '{ services: { a: service("echo $X; exec sleep 1000"; { replicas: "${N}", env: { X: "${X:-none}" } }) } }'
	run -125 env -u N "$NACELLE" --root "$STATE" --data "$DATA" up "$STACK"
	one_line
	has "services.a.replicas: the variable 'N' is not set"
	printf '# both\nN=2\nX=file\n' >vars
	X="env" run -0 nacelle config --env-file vars "$STACK"
	jq -e '.services.a | .replicas == "2" and .env.X == "env" and .args[2] == "echo $X; exec sleep 1000"' <<<"$output"
	nacelle up --env-file vars "$STACK"
	[ "$(nacelle list -q | wc -l)" = 2 ]
}

@test "what is wrong in a file is one line, and nothing is made" {
	while IFS='|' read -r file message; do
		echo "$file" >stack.json
		run -125 nacelle up
		one_line
		has "$message"
		[ ! -e "$DATA/stacks" ] || [ -z "$(ls "$DATA/stacks")" ]
	done <<-'EOT'
		{ "services": { "a": { "image": 1 } }, "name": "x" }|services.a: image: must be the name of an image, not an integer
		{ "services": { "a": { "args": ["x"], "memroy": "1M" } }, "name": "x" }|services.a: "memroy" is not a known key: did you mean 'memory'?
		{ "services": { "a": { "args": ["x"], "volumes": ["d:/x"] } }, "name": "x" }|services.a.volumes[0]: "d" is not among the stack's 'volumes'
		{ "services": { "a": { "args": ["x"], "network": "n" } }, "name": "x" }|services.a.network: "n" is not among the stack's 'networks'
		{ "services": { "a": { "depends_on": ["a"] } }, "name": "x" }|depends_on: the services need each other in a circle: 'a' needs 'a'
		{ "services": { "a": { "layers": ["/"], "args": ["x"] }, "b": { "layers": ["/"], "args": ["x"], "depends_on": { "a": "healthy" } } }, "name": "x" }|services.b.depends_on: 'a' can never be healthy: it has no health check ('health')
		{ "services": { "a": { "args": ["x"], "secrets": ["s"] } }, "secrets": { "s": { "file": "none" } }, "name": "x" }|secrets.s: open '
		{ "services": [] }|services: must be an object, not an array
		[|stack.json:
	EOT
	run -125 nacelle down no-such-file.json
	one_line
	run -125 nacelle up no-such-stack
	one_line
	has 'no stack "no-such-stack" is up'
	run -125 nacelle ps ./none.json
	one_line
}

@test "a container of somebody else is in the way: one line, and it stays" {
	stack_file '{ services: { a: service("exec sleep 1000"; {}) } }'
	keeps
	payload 'exec sleep 1000'
	nacelle run -d -b "$BUNDLE" "$S-a-1"
	run -125 nacelle up "$STACK"
	one_line
	has "create '$S-a-1': "
	[ "$(nacelle state "$S-a-1" | jq -r .status)" = running ]
}

# bats test_tags=lab, vm
@test "a service may be a virtual machine, beside others, with limits" {
	vm_setup
	stack_file '{ services: { a: service("cat /sys/fs/cgroup/memory.max; exec sleep 1000"; { memory: "32M" }),
		b: service("cat /proc/sys/kernel/random/boot_id; exec sleep 1000"; { vm: true, depends_on: ["a"] }) } }'
	run -0 nacelle up --wait "$STACK"
	has "create $S-b-1"
	ID=$S-a-1 says 33554432
	until_true 60 bash -c '"$0" --root "$1" --data "$2" logs "$3" | grep -qE "^[0-9a-f-]{36}$"' "$NACELLE" "$STATE" "$DATA" "$S-b-1"
	run -0 nacelle logs "$S-b-1"
	[ "$output" != "$(cat /proc/sys/kernel/random/boot_id)" ]
	run -0 nacelle up "$STACK"
	is ""
}

@test "generate systemd: a unit for a stack, for a container with a keeper, and for one without" {
	mkdir 'a b%c'
	stack_file '{ services: { a: service("exec sleep 1000"; {}) } }'
	mv "$STACK" 'a b%c/x.json'
	echo V=1 >vars
	run -0 nacelle generate systemd --env-file vars --profile p 'a b%c/x.json'
	words="\"$NACELLE\" \"--root\" \"$STATE\" \"--data\" \"$DATA\""
	has "ExecStart=$words \"up\" \"--name\" \"$S\" \"--env-file\" \"$PWD/vars\" \"--profile\" \"p\" \"$PWD/a b%%c/x.json\""
	has "ExecStop=$words \"down\" \"$S\""
	spec_file '{ "args": ["sleep", "1000"] }'
	run -125 nacelle generate systemd "$SPEC"
	one_line
	has "has no 'name'"
	run -0 nacelle generate systemd --name one "$SPEC"
	has "ExecStart=$words \"run\" \"--name\" \"one\" \"$SPEC\""
	has "Restart=on-failure"
	has "ExecStop=$words \"stop\" \"one\""
	spec_file '{ "args": ["sleep", "1000"], "restart": "always", "name": "two" }'
	run -0 nacelle generate systemd "$SPEC"
	has "ExecStart=$words \"run\" \"--detach\" \"--name\" \"two\" \"$SPEC\""
	lacks "Restart="
	run -125 nacelle generate sysv "$SPEC"
	one_line
}
