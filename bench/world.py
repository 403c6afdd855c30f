# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What benches on live traffic share: links between two namespaces, senders, receivers, ringspan itself.

For scripts started by world.sh, which makes the namespaces "in" and "out" and ends everything. The sender
has the last processor, all else the others.
"""
import argparse
import json
import os
import subprocess
import time

from agent import Agent, wait_until

IDLE_S = 2                    # a flow ends: more than the pauses between loads


class World:
    """The two links, the receiver, and processes that end with this one."""

    def __init__(self, build, folder):
        self.build, self.dir = build, folder
        cpus = sorted(os.sched_getaffinity(0))
        self.sender_cpu = str(cpus[-1])
        self.agent_cpus = ",".join(map(str, cpus[:-1] or cpus))
        self.floor = None
        self.sent = {}
        self.port = self.serve()

    def command(self, ns, args, cpus=None):
        pin = ["taskset", "-c", cpus] if cpus else []
        return ["nsenter", f"--net=/run/netns/{ns}", "--", "setpriv", "--pdeathsig", "KILL", "--", *pin,
                *map(str, args)]

    def start(self, name, ns, args, cpus=None):
        with open(f"{self.dir}/{name}.out", "wb") as out, open(f"{self.dir}/{name}.err", "wb") as err:
            return subprocess.Popen(self.command(ns, args, cpus), stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=err)

    def wait_for_line(self, process, path, begin, seconds=60, pause=0.02):
        def look():
            if process.poll() is not None:
                raise RuntimeError(f"{path}: ended: " + open(path, encoding="utf-8").read()[-500:])
            return [line for line in open(path, encoding="utf-8") if line.startswith(begin)]
        return wait_until(seconds, begin, look, pause)[0]

    def link(self, inside, outside):
        for command in (f"link add {inside} netns in type veth peer name {outside} netns out",
                        f"-n in link set {inside} up", f"-n out link set {outside} up"):
            subprocess.run(["ip", *command.split()], check=True)
        # what live frames need of the receiving end
        subprocess.run(self.command("in", ["ethtool", "-K", inside, "gro", "on"]), check=True,
                       capture_output=True)

    def unlink(self, inside):
        subprocess.run(["ip", "-n", "in", "link", "del", inside], check=True)
        self.sent.clear()

    def hold(self, hook, does="pass"):
        """The program that does nothing on the reference link, or one that counts."""
        self.release()
        self.link("vr", "vs")
        self.floor = self.start("hold", "in", [f"{self.build}/bench/peers_attach", "vr",
                                               ("tc_" if hook == "tc" else "xdp_") + does])
        self.wait_for_line(self.floor, f"{self.dir}/hold.out", "ready")

    def release(self):
        if self.floor:
            stop(self.floor)
            self.unlink("vr")
            self.floor = None

    def send(self, interface, flows, packets, first_flow=0):
        """CPU seconds that it took the sender, the receiving path in it. One number of flows a link."""
        done = subprocess.run(self.command("out", [f"{self.build}/bench/live_frames", interface, flows, packets,
                                                   self.sent.get(interface, 0), first_flow], self.sender_cpu),
                              check=True, capture_output=True, text=True)
        self.sent[interface] = self.sent.get(interface, 0) + packets
        return float(done.stdout.split()[2])

    def serve(self):
        """Starts the receiver, which throws everything away; its port."""
        server = self.start("discard", "in", [f"{self.build}/bench/discard_serve"])
        return self.wait_for_line(server, f"{self.dir}/discard.out", "").strip()


def stop(process, seconds=60):
    process.terminate()
    return process.wait(seconds)


class Ringspan:
    """One that watches these interfaces, and sends to the receiver."""

    def __init__(self, world, *options, interfaces=("va",)):
        self.world = world
        begun = time.monotonic()
        self.process = world.start("rs", "in", [
            f"{world.build}/user/ringspan", "--interface", ",".join(interfaces), "--exporter", "otlp", "--otlp-endpoint",
            f"http://127.0.0.1:{world.port}", "--control", f"{world.dir}/rs.sock", *options], world.agent_cpus)
        world.wait_for_line(self.process, f"{world.dir}/rs.err", "ringspan ready:", pause=0.002)
        self.ready_s = time.monotonic() - begun
        self.agent = Agent(self.process.pid)

    def status(self):
        done = subprocess.run([f"{self.world.build}/user/ringspan", "ctl", "status", "--json", "--control",
                               f"{self.world.dir}/rs.sock"], check=True, capture_output=True)
        return json.loads(done.stdout)

    def settle(self):
        """Waits until all flows have ended and been sent; how it was then, with the CPU time before this
        asking, which is not what is measured, and when that was."""
        def look():
            cpu, now = self.agent.cpu_seconds(), time.monotonic()
            status = self.status()
            if status["flows"]["held"] == 0 and not any(q["items"] for q in status["queues"]):
                return status, cpu, now
            return None
        time.sleep(IDLE_S + 1)
        return wait_until(60, "all flows ended and sent", look, 1)

    def idle_cpu(self, seconds=2):
        """CPU seconds a second while nothing comes; before anything has come, what starting takes apart."""
        time.sleep(0.5)
        cpu, begun = self.agent.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        return (self.agent.cpu_seconds() - cpu) / (time.monotonic() - begun)


def open_world():
    """What world.sh hands over, and the script's own options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--only", default="", help="cases with this in their name")
    o = parser.parse_args()
    return World(o.build, o.dir), o.only, bool(os.environ.get("BENCH_QUICK"))
