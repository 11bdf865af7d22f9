"""Results for people and programs: tables, pages, plots, prediction files, benchmarks.

Modules that the commands use:

    evaluation_tables, evaluation_page, evaluation_plots    one evaluation
    class_groups                                            earlier and new classes
    scope_tables                                            texts that fit no class
    comparison_report                                       runs side by side
    data_report                                             a data set
    insight_tables, insight_page, insight_plots             inside a network
    prediction_output, kept_columns                         predictions, line by line
    suggestions, label_issue_page                           what to label or correct
    terminal_chart                                          curves in the terminal
    benchmark.training, .prediction, .startup               measured speed
    html, plotting, display                                 pages, images, numbers

`tables`, `data_plots`, `written_text` and `fonts` are for this room only.

May import: every other room, and of `cli` nothing but `reporting` itself.
"""
