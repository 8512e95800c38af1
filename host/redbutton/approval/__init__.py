"""People in the loop: a command that needs a person waits for that person (SR-26).

`ballot`: what is held and what people say to it, as the bytes that they sign. `desk`: what is
held now, and what may go on; pure. `channel`: how operators reach the desk, and planners do not
(SR-25). `shown`: what people see. `cli_approval`: the operators' commands.

Silence means no: what is not approved in time is denied, and a restart forgets what was held.
"""
