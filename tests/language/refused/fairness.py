from typing import Annotated

from protocheck import Between, Protocol, action, guard


class Machine(Protocol, fairness="usual"):
    count: Annotated[int, Between(0, 3)] = 0

    @action(fairness="medium")
    def tick(self) -> None:
        guard(room_left=self.count < 3)
        self.count += 1

    @action(each="n")
    def jump(self, n: Annotated[int, Between(0, 3)]) -> None:
        self.count = n

    @action(fairness="weak", each="m")
    def leap(self, n: Annotated[int, Between(0, 3)]) -> None:
        self.count = n
