"""parallel-ssh as one uses it: one client over all hosts, one command for all, output read to its end."""

from __future__ import annotations

from time import monotonic, perf_counter, process_time
from typing import Any

from pssh.clients import ParallelSSHClient
from pssh.config import HostConfig

from tests.bench.poll_client import allow_files, answer, order, rss, spread


class Client:
    """Its connections are kept between two commands."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.hosts, self.command = job["hosts"], job["command"]
        self.client = ParallelSSHClient(
            [host["address"] for host in self.hosts],
            host_config=[
                HostConfig(user=host["user"], port=host["port"], private_key=host["key"], allow_agent=False)
                for host in self.hosts
            ],
            allow_agent=False,
            pool_size=len(self.hosts),
        )

    def poll(self) -> None:
        for output in self.client.run_command(self.command):
            assert any("MemAvailable" in line for line in output.stdout)

    def measure(self, seconds: float) -> dict[str, Any]:
        times: list[float] = []
        end = monotonic() + seconds
        wall, cpu = perf_counter(), process_time()
        while monotonic() < end:
            started = perf_counter()
            self.poll()
            times.append(perf_counter() - started)
        samples = len(times) * len(self.hosts)
        return {"samples": samples, "cpu_s": process_time() - cpu, "wall_s": perf_counter() - wall, **spread(times)}


def main() -> None:
    allow_files()
    client, before = Client(order()), rss()
    client.poll()
    answer(ready=True, host_bytes=(rss() - before) / len(client.hosts))
    while (asked := order())["do"] != "stop":
        answer(**client.measure(asked["seconds"]))


if __name__ == "__main__":
    main()
