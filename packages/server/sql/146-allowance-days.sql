-- Whether the start allowance is used up follows from the day's CPU time, so that a new day begins anew.
alter table meter_stream drop column ended;
