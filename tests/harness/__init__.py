"""What the tests share. A test of a promise reads like this:

    def test_a_killed_run_goes_on(film: Film, gateway: Simulator) -> None:
        film.list({"shot": "a cat"})                                     # shots.yaml in a folder of the test's own
        killed = film.start(*film.arguments(), first=Mishap("kill", "poll")).result()
        assert killed.code == -9
        assert film.run().statuses == {"shot": "verified"}               # the same command, in a new process
        assert len(gateway.charged) == 1                                 # by the gateway's own books

`film` and `gateway` are fixtures (`tests/conftest.py`). Here are: the folder and its commands (`film`), the process
that forks them (`fork`, `zygote`), what goes wrong in them (`mishaps`, `points`), what a disk keeps of it (`disks`),
sweeps over all of that and their judge (`sweeping`, `trials`, `failing`, `bugs`, `nights`, `soak`), a gateway that
misbehaves (`wire`), the key that must stand nowhere (`canary`), and what a run of the tests counts (`figures`).
"""
