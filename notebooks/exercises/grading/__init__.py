"""Grading a class: every odd submission costs its owner alone.

In a teacher's course folder, with the Python of the course:

    python -m grading collect 02_handshake submissions.zip    from Moodle, Canvas, or a folder
    python -m grading grade 02_handshake                      points, reasons, tables, feedback
    python -m grading formgrader                              nbgrader's pages, to look and comment

`collect` finds out who handed in what. `submission` reads a notebook and repairs it. `sandbox` runs
it where it sees nothing else, by means of `inside`. `hooks` puts both into nbgrader, so that
formgrader's buttons do the same. `page` makes feedback, `tables` the files to import.
"""
